#include "executor/receiver/rate_limiter.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace millrace::internal {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// How many single records come through in a time, for a caller that always waits as told.
int64_t RecordsIn(RateLimiter& limiter, int64_t& now, int64_t nanos) {
  const int64_t end = now + nanos;
  int64_t records = 0;
  while (true) {
    const int64_t wait = limiter.TakeOrWaitNanos(1, now);
    if (wait == 0) {
      ++records;
    } else if (now + wait > end) {
      break;
    } else {
      now += wait;
    }
  }
  now = end;
  return records;
}

TEST(RateLimiterTest, LimitsNothingUntilItHasARate) {
  RateLimiter limiter;
  EXPECT_FALSE(limiter.limited());
  EXPECT_EQ(limiter.records_max(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(limiter.TakeOrWaitNanos(1'000'000, 5), 0);
}

TEST(RateLimiterTest, LetsRateTimesSecondsThrough) {
  RateLimiter limiter;
  int64_t now = 12345;
  limiter.SetRate(100, now);
  EXPECT_NEAR(static_cast<double>(RecordsIn(limiter, now, 10 * kSecond)), 1000, 1);
}

TEST(RateLimiterTest, SavesUpNoMoreThanAShortBurst) {
  RateLimiter limiter;
  int64_t now = 0;
  limiter.SetRate(1000, now);
  now += 3600 * kSecond;
  EXPECT_EQ(limiter.records_max(), 50);
  EXPECT_NEAR(static_cast<double>(RecordsIn(limiter, now, kSecond)), 1050, 1);
}

TEST(RateLimiterTest, FollowsAChangeOfTheRate) {
  RateLimiter limiter;
  int64_t now = 0;
  limiter.SetRate(1, now);
  EXPECT_GT(limiter.TakeOrWaitNanos(1, now), kSecond / 2);
  limiter.SetRate(10000, now);
  EXPECT_NEAR(static_cast<double>(RecordsIn(limiter, now, kSecond)), 10000, 2);
  limiter.SetRate(0, now);
  EXPECT_EQ(limiter.TakeOrWaitNanos(1'000'000, now), 0);
}

TEST(RateLimiterTest, ARateBelowOneStillLetsSingleRecordsThrough) {
  RateLimiter limiter;
  int64_t now = 0;
  limiter.SetRate(0.5, now);
  EXPECT_EQ(limiter.records_max(), 1);
  EXPECT_EQ(RecordsIn(limiter, now, 20 * kSecond), 10);
}

TEST(RateLimiterTest, NonsenseIsNoLimit) {
  RateLimiter limiter;
  limiter.SetRate(-5, 0);
  EXPECT_FALSE(limiter.limited());
  limiter.SetRate(std::numeric_limits<double>::quiet_NaN(), 0);
  EXPECT_FALSE(limiter.limited());
  limiter.SetRate(std::numeric_limits<double>::infinity(), 0);
  EXPECT_FALSE(limiter.limited());
}

}  // namespace
}  // namespace millrace::internal
