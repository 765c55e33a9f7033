#include "driver/receiver/pid_rate_estimator.h"

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

PidRateEstimator MakeEstimator(PidOptions options = {}) {
  return *PidRateEstimator::Create(options);
}

TEST(PidRateEstimatorTest, FollowsTheDocumentedExample) {
  PidRateEstimator estimator = MakeEstimator();
  EXPECT_EQ(estimator.Compute(1000, 500, 800, 0), std::nullopt) << "the first batch only primes";
  EXPECT_DOUBLE_EQ(*estimator.Compute(2000, 500, 800, 100), 612.5);
  EXPECT_DOUBLE_EQ(*estimator.Compute(3000, 900, 1500, 400), 552);
  EXPECT_DOUBLE_EQ(*estimator.Compute(4000, 900, 1500, 900), 492);
  EXPECT_EQ(estimator.Compute(5000, 0, 800, 0), std::nullopt) << "no records, no estimate";
  EXPECT_DOUBLE_EQ(*estimator.Compute(6000, 1200, 600, 50), 1980);
}

TEST(PidRateEstimatorTest, GivesNothingWhenTimeStandsStill) {
  PidRateEstimator estimator = MakeEstimator();
  estimator.Compute(1000, 500, 800, 0);
  EXPECT_EQ(estimator.Compute(1000, 500, 800, 0), std::nullopt);
  EXPECT_EQ(estimator.Compute(2000, 500, 0, 0), std::nullopt);
}

TEST(PidRateEstimatorTest, NeverGoesBelowTheLeastRate) {
  PidRateEstimator estimator = MakeEstimator({.min_rate = 300});
  estimator.Compute(1000, 500, 800, 0);
  EXPECT_DOUBLE_EQ(*estimator.Compute(2000, 10, 1000, 100'000), 300);
}

// 100 ms a record; the source has more than that all the time.
TEST(PidRateEstimatorTest, TheLeastRateDoesNotExceedWhatSlowRecordsAllow) {
  PidRateEstimator estimator = MakeEstimator();
  estimator.Compute(1000, 100, 10'000, 0);
  double rate = *estimator.Compute(2000, 100, 10'000, 9000);
  EXPECT_DOUBLE_EQ(rate, 5) << "10 can be done, and half of it goes to what waits";
  // Fast enough again for its interval: that alone does not bring the old floor back.
  EXPECT_DOUBLE_EQ(*estimator.Compute(3000, 5, 500, 0), 10);
  EXPECT_DOUBLE_EQ(*estimator.Compute(4000, 10, 1000, 0), 10);
  // Cheap records do.
  EXPECT_DOUBLE_EQ(*estimator.Compute(5000, 10, 20, 0), 500);
  EXPECT_DOUBLE_EQ(*estimator.Compute(6000, 10, 900, 0), 100);
}

TEST(PidRateEstimatorTest, OneSlowBatchDoesNotHoldTheInputWhileItsFollowersAreWorkedOff) {
  PidRateEstimator estimator = MakeEstimator();
  estimator.Compute(1000, 500, 500, 0);
  estimator.Compute(31'000, 500, 30'000, 0);
  for (int64_t behind = 29; behind > 0; --behind) {
    const double rate =
        *estimator.Compute(61'000 - behind * 1000, 500, 500, static_cast<double>(behind) * 1000);
    EXPECT_GE(rate, 500) << "1000 a second were measured";
    EXPECT_LE(rate, 1000);
  }
}

TEST(PidRateEstimatorTest, DerivativeDampsAChangingError) {
  PidRateEstimator estimator = MakeEstimator({.integral = 0, .derived = 0.5});
  estimator.Compute(1000, 1000, 1000, 0);
  // rate 500, error 500, derivative 500 a second: 1000 - 500 - 250.
  EXPECT_DOUBLE_EQ(*estimator.Compute(2000, 500, 1000, 0), 250);
}

TEST(PidRateEstimatorTest, RefusesSenselessOptions) {
  EXPECT_FALSE(PidRateEstimator::Create({.proportional = -1}).ok());
  EXPECT_FALSE(PidRateEstimator::Create({.integral = -1}).ok());
  EXPECT_FALSE(PidRateEstimator::Create({.derived = -1}).ok());
  EXPECT_FALSE(PidRateEstimator::Create({.min_rate = 0}).ok());
  EXPECT_FALSE(PidRateEstimator::Create({.batch_interval_ms = 0}).ok());
}

}  // namespace
}  // namespace millrace::internal
