#include "driver/receiver/rate_controller.h"

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kMemoryAlone = StreamLimits::kMemoryAlone;

StreamingSpec Spec() {
  StreamingSpec spec;
  spec.backpressure_enabled = true;
  return spec;
}

BatchSample Records(int64_t time_ms, int64_t records, double processing_ms, double delay_ms = 0) {
  return {.time_ms = time_ms,
          .records = records,
          .bytes = 100 * records,
          .processing_ms = processing_ms,
          .scheduling_delay_ms = delay_ms};
}

BatchSample Bytes(int64_t time_ms, int64_t bytes, double processing_ms, double delay_ms = 0) {
  return {.time_ms = time_ms,
          .bytes = bytes,
          .processing_ms = processing_ms,
          .scheduling_delay_ms = delay_ms};
}

BatchSample Nothing(double processing_ms, double delay_ms) {
  return {.processing_ms = processing_ms, .scheduling_delay_ms = delay_ms};
}

TEST(RateControllerTest, SettingsLimitTheFirstBatches) {
  StreamingSpec spec = Spec();
  spec.initial_rate = 1000;
  EXPECT_EQ(RateController::InitialLimits(spec), (StreamLimits{1000, 0, kMemoryAlone}));
  spec.max_rate = 300;
  EXPECT_EQ(RateController::InitialLimits(spec), (StreamLimits{300, 0, kMemoryAlone}));
  spec.initial_rate = 0;
  EXPECT_EQ(RateController::InitialLimits(spec), (StreamLimits{300, 0, kMemoryAlone}));
  spec.backpressure_enabled = false;
  EXPECT_EQ(RateController::InitialLimits(spec), (StreamLimits{300, 0, 0}));
}

TEST(RateControllerTest, WithoutSettingsTheStartIsSlow) {
  StreamingSpec spec = Spec();
  EXPECT_EQ(RateController::InitialLimits(spec), (StreamLimits{0, 0, kMiB}));
  spec.batch_interval = std::chrono::milliseconds(10'000);
  EXPECT_EQ(RateController::InitialLimits(spec), (StreamLimits{0, 0, 10 * kMiB}));
  EXPECT_EQ(RateController::InitialDirectLimits(spec), (StreamLimits{10'000, 0, 0}));
}

TEST(RateControllerTest, TheFirstBatchEndsTheSlowStartOfAFastStream) {
  auto controller = RateController::Create(Spec());
  ASSERT_TRUE(controller.ok());
  controller->BatchCompleted(Records(1000, 10'000, 10));
  EXPECT_EQ(controller->limits(), (StreamLimits{0, 0, 200'000'000})) << "100 MB a second, twice";
  controller->BatchCompleted(Records(2000, 1'000'000, 500));
  EXPECT_EQ(controller->limits(), (StreamLimits{2'000'000, 0, kMemoryAlone}));
}

TEST(RateControllerTest, AFirstBatchThatTakesLongSlowsFurther) {
  auto controller = RateController::Create(Spec());
  ASSERT_TRUE(controller.ok());
  controller->BatchCompleted(Records(1000, 10'000, 10'000));
  EXPECT_EQ(controller->limits(), (StreamLimits{0, 0, 200'000}));
}

TEST(RateControllerTest, AFewSmallRecordsSayNothingAboutTheSpeed) {
  auto controller = RateController::Create(Spec());
  ASSERT_TRUE(controller.ok());
  controller->BatchCompleted(Records(1000, 1, 10));
  EXPECT_EQ(controller->limits(), (StreamLimits{0, 0, 64 << 10}));
  auto direct = RateController::CreateForDirectStream(Spec());
  direct->BatchCompleted(Records(1000, 1, 100));
  EXPECT_EQ(direct->limits(), (StreamLimits{100, 0, 0}));
}

TEST(RateControllerTest, ADirectStreamStartsSlowlyInRecords) {
  auto controller = RateController::CreateForDirectStream(Spec());
  ASSERT_TRUE(controller.ok());
  EXPECT_EQ(controller->limits().rate, 10'000);
  controller->BatchCompleted(Records(1000, 10'000, 100));
  EXPECT_EQ(controller->limits(), (StreamLimits{100'000, 0, 0}));
  auto slow = RateController::CreateForDirectStream(Spec());
  slow->BatchCompleted(Records(1000, 10'000, 100'000));
  EXPECT_EQ(slow->limits(), (StreamLimits{100, 0, 0})) << "below it, minRate would not count";
}

TEST(RateControllerTest, BytesRuleWhereNobodyCountsRecords) {
  StreamingSpec spec = Spec();
  spec.initial_rate = 1000;
  auto controller = RateController::Create(spec);
  ASSERT_TRUE(controller.ok());
  controller->BatchCompleted(Bytes(1000, 10 * kMiB, 2000));
  EXPECT_EQ(controller->limits(), (StreamLimits{1000, 0, 10 * kMiB})) << "two intervals";
  // As the documented example, by 10,000.
  auto example = RateController::Create(spec);
  example->BatchCompleted(Bytes(1000, 5'000'000, 800));
  example->BatchCompleted(Bytes(2000, 5'000'000, 800, 100));
  EXPECT_EQ(example->limits(), (StreamLimits{1000, 6'125'000, kMemoryAlone}));
  example->BatchCompleted(Nothing(1, 0));
  EXPECT_EQ(example->limits(), (StreamLimits{1000, 6'250'000, kMemoryAlone}));
  example->BatchCompleted(Records(3000, 100, 100));
  example->BatchCompleted(Records(4000, 100, 100));
  EXPECT_EQ(example->limits(), (StreamLimits{1000, 0, kMemoryAlone}));
}

TEST(RateControllerTest, NoRateIsAboveTheMaximum) {
  StreamingSpec spec = Spec();
  spec.max_rate = 600;
  auto controller = RateController::Create(spec);
  ASSERT_TRUE(controller.ok());
  controller->BatchCompleted(Records(1000, 500, 800));
  EXPECT_EQ(controller->limits().rate, 600) << "only primes";
  controller->BatchCompleted(Records(2000, 500, 800, 100));
  EXPECT_EQ(controller->limits().rate, 600) << "612.5 without it";
}

TEST(RateControllerTest, TheReceiversMaximumMeansNothingToDirectStreams) {
  StreamingSpec spec = Spec();
  spec.max_rate = 300;
  spec.initial_rate = 1000;
  auto controller = RateController::CreateForDirectStream(spec);
  ASSERT_TRUE(controller.ok());
  controller->BatchCompleted(Records(1000, 500, 800));
  EXPECT_EQ(controller->limits(), (StreamLimits{1000, 0, 0}));
  controller->BatchCompleted(Records(2000, 500, 800, 100));
  EXPECT_EQ(controller->limits(), (StreamLimits{612.5, 0, 0}));
  spec.backpressure_enabled = false;
  EXPECT_EQ(RateController::InitialDirectLimits(spec), (StreamLimits{0, 0, 0}));
}

TEST(RateControllerTest, EmptyBatchesGiveBackWhatADelayHadCost) {
  auto controller = RateController::Create(Spec());
  ASSERT_TRUE(controller.ok());
  controller->BatchCompleted(Nothing(1, 0));
  EXPECT_EQ(controller->limits(), (StreamLimits{0, 0, kMiB}));
  controller->BatchCompleted(Records(1000, 1000, 1000));
  controller->BatchCompleted(Nothing(1, 0));
  EXPECT_EQ(controller->limits().rate, 0);
  controller->BatchCompleted(Records(2000, 1000, 1000, 2400));
  EXPECT_NEAR(controller->limits().rate, 520, 0.001);
  controller->BatchCompleted(Nothing(1, 1400));
  EXPECT_NEAR(controller->limits().rate, 520, 0.001) << "something is queued still";
  controller->BatchCompleted(Nothing(1, 0));
  EXPECT_EQ(controller->limits().rate, 1000) << "not above what was measured";
  controller->BatchCompleted(Records(6000, 1200, 600, 50));
  EXPECT_EQ(controller->limits().rate, 1980) << "the estimator goes on as if nothing had been";
}

TEST(RateControllerTest, SenselessSettingsAreRefused) {
  StreamingSpec spec = Spec();
  spec.pid_integral = -1;
  EXPECT_EQ(RateController::Create(spec).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::internal
