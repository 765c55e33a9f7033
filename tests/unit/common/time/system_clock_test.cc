#include "common/time/system_clock.h"

#include <gtest/gtest.h>

#include <chrono>

namespace millrace {
namespace {

TEST(SystemClockTest, MonotonicTimeIsThatOfTheSteadyClock) {
  using std::chrono::nanoseconds;
  const int64_t before = nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  const int64_t now = MonotonicNanos();
  const int64_t after = nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  EXPECT_LE(before, now);
  EXPECT_LE(now, after);
}

TEST(SystemClockTest, WallTimeCountsMicrosecondsFromTheEpoch) {
  constexpr int64_t kYear2020 = 1'577'836'800'000'000;
  constexpr int64_t kYear2200 = 7'258'118'400'000'000;
  EXPECT_GT(WallClockMicros(), kYear2020);
  EXPECT_LT(WallClockMicros(), kYear2200);
}

}  // namespace
}  // namespace millrace
