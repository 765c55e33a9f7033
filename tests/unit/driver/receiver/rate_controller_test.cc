#include "driver/receiver/rate_controller.h"

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

StreamingSpec Spec() {
  StreamingSpec spec;
  spec.backpressure_enabled = true;
  return spec;
}

TEST(RateControllerTest, TheInitialRateProtectsTheFirstBatches) {
  StreamingSpec spec = Spec();
  EXPECT_EQ(RateController::InitialRate(spec), 0) << "no limit";
  spec.initial_rate = 1000;
  EXPECT_EQ(RateController::InitialRate(spec), 1000);
  spec.max_rate = 300;
  EXPECT_EQ(RateController::InitialRate(spec), 300);
  spec.backpressure_enabled = false;
  EXPECT_EQ(RateController::InitialRate(spec), 300);
}

TEST(RateControllerTest, NoRateIsAboveTheMaximum) {
  StreamingSpec spec = Spec();
  spec.max_rate = 600;
  auto controller = RateController::Create(spec);
  ASSERT_TRUE(controller.ok());
  EXPECT_EQ(controller->BatchCompleted(1000, 500, 800, 0), std::nullopt) << "only primes";
  EXPECT_EQ(controller->BatchCompleted(2000, 500, 800, 100), 600) << "612.5 without it";
}

TEST(RateControllerTest, TheReceiversMaximumMeansNothingToDirectStreams) {
  StreamingSpec spec = Spec();
  spec.max_rate = 300;
  EXPECT_EQ(RateController::InitialDirectRate(spec), 0) << "no limit";
  spec.initial_rate = 1000;
  EXPECT_EQ(RateController::InitialDirectRate(spec), 1000);
  auto controller = RateController::CreateForDirectStream(spec);
  ASSERT_TRUE(controller.ok());
  EXPECT_EQ(controller->BatchCompleted(1000, 500, 800, 0), std::nullopt);
  EXPECT_EQ(controller->BatchCompleted(2000, 500, 800, 100), 612.5);
  spec.backpressure_enabled = false;
  EXPECT_EQ(RateController::InitialDirectRate(spec), 0);
}

TEST(RateControllerTest, SenselessSettingsAreRefused) {
  StreamingSpec spec = Spec();
  spec.pid_integral = -1;
  EXPECT_EQ(RateController::Create(spec).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::internal
