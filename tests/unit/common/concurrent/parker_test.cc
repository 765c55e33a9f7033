#include "common/concurrent/parker.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/time/system_clock.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

class ParkerTest : public ::testing::TestWithParam<std::chrono::microseconds> {
 protected:
  Parker parker_{GetParam()};
};

TEST_P(ParkerTest, ATokenLeftBeforeIsTakenAtOnce) {
  parker_.Unpark();
  EXPECT_TRUE(parker_.ParkUntil(Parker::kForever));
}

TEST_P(ParkerTest, TokensDoNotAddUp) {
  parker_.Unpark();
  parker_.Unpark();
  EXPECT_TRUE(parker_.ParkUntil(Parker::kForever));
  EXPECT_FALSE(parker_.ParkUntil(MonotonicNanos()));
}

TEST_P(ParkerTest, WaitsUntilItsDeadlineAndNoLess) {
  const int64_t deadline_ns = MonotonicNanos() + 2'000'000;
  EXPECT_FALSE(parker_.ParkUntil(deadline_ns));
  EXPECT_GE(MonotonicNanos(), deadline_ns);
  EXPECT_FALSE(parker_.ParkUntil(-1));
}

TEST_P(ParkerTest, EveryUnparkWakesItsPark) {
  constexpr int kRounds = 2000;
  Parker back;
  int seen = 0;
  std::thread other([&] {
    for (int i = 0; i < kRounds; ++i) {
      parker_.Park();
      ++seen;  // Ordered by the two parkers alone.
      back.Unpark();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    parker_.Unpark();
    back.Park();
    EXPECT_EQ(seen, i + 1);
  }
  other.join();
}

INSTANTIATE_TEST_SUITE_P(Spinning, ParkerTest, ::testing::Values(0us, 20us, 1000us),
                         [](const auto& info) {
                           return std::to_string(info.param.count()) + "us";
                         });

}  // namespace
}  // namespace millrace
