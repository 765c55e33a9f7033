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
