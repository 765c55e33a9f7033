#include "driver/receiver/rate_controller.h"

#include <algorithm>
#include <optional>

#include "common/base/status_macros.h"

namespace millrace::internal {
namespace {

// The slow start.
constexpr double kFirstBytesPerSecond = 1 << 20;
// By measured speed, while batches keep to their interval.
constexpr double kLeastBytesPerSecond = 64 << 10;
constexpr double kFirstRecordsPerSecond = 10'000;
// One interval's bytes are processed while those of the next come in.
constexpr double kIntervalsUnprocessed = 2;
constexpr double kBytesMax = 1e15;  // Keeps the arithmetic within integers.

double Capped(double rate, double max_rate) {
  return max_rate > 0 ? std::min(rate, max_rate) : rate;
}

double GivenBack(double rate, double measured_rate) {
  return std::max(rate, std::min(2 * rate, measured_rate));
}

int64_t ToBytes(double bytes) { return static_cast<int64_t>(std::clamp(bytes, 1.0, kBytesMax)); }

}  // namespace

RateController::RateController(const StreamingSpec& spec, const Estimators& estimators,
                               double max_rate, const StreamLimits& initial)
    : estimators_(estimators),
      interval_ms_(static_cast<double>(spec.batch_interval.count())),
      min_rate_(spec.pid_min_rate),
      max_rate_(max_rate),
      has_receiver_(initial.unprocessed_bytes_max > 0),
      starts_slowly_(spec.initial_rate <= 0 && max_rate <= 0),
      limits_(initial) {}

absl::StatusOr<RateController::Estimators> RateController::MakeEstimators(
    const StreamingSpec& spec) {
  PidOptions options;
  options.batch_interval_ms = spec.batch_interval.count();
  options.proportional = spec.pid_proportional;
  options.integral = spec.pid_integral;
  options.derived = spec.pid_derived;
  options.min_rate = spec.pid_min_rate;
  ASSIGN_OR_RETURN(const PidRateEstimator records, PidRateEstimator::Create(options));
  options.min_rate = kLeastBytesPerSecond;
  ASSIGN_OR_RETURN(const PidRateEstimator bytes, PidRateEstimator::Create(options));
  return Estimators{records, bytes};
}

absl::StatusOr<RateController> RateController::Create(const StreamingSpec& spec) {
  ASSIGN_OR_RETURN(const Estimators estimators, MakeEstimators(spec));
  return RateController(spec, estimators, spec.max_rate, InitialLimits(spec));
}

absl::StatusOr<RateController> RateController::CreateForDirectStream(const StreamingSpec& spec) {
  ASSIGN_OR_RETURN(const Estimators estimators, MakeEstimators(spec));
  return RateController(spec, estimators, 0, InitialDirectLimits(spec));
}

StreamLimits RateController::InitialLimits(const StreamingSpec& spec) {
  if (!spec.backpressure_enabled) return {.rate = spec.max_rate};
  if (spec.initial_rate <= 0 && spec.max_rate <= 0) {
    const auto interval_ms = static_cast<double>(spec.batch_interval.count());
    return {.unprocessed_bytes_max = ToBytes(kFirstBytesPerSecond * interval_ms / 1000)};
  }
  return {.rate = spec.initial_rate > 0 ? Capped(spec.initial_rate, spec.max_rate) : spec.max_rate,
          .unprocessed_bytes_max = StreamLimits::kMemoryAlone};
}

StreamLimits RateController::InitialDirectLimits(const StreamingSpec& spec) {
  if (!spec.backpressure_enabled) return {};
  return {.rate = spec.initial_rate > 0 ? spec.initial_rate : kFirstRecordsPerSecond};
}

void RateController::BatchCompleted(const BatchSample& sample) {
  const bool is_empty = sample.records <= 0 && sample.bytes <= 0;
  if (is_empty) {
    if (sample.scheduling_delay_ms + sample.processing_ms <= interval_ms_) GiveBack();
    return;
  }
  if (!(sample.processing_ms > 0)) return;
  if (sample.records > 0) {
    FollowRecords(sample);
  } else {
    FollowBytes(sample);
  }
}

void RateController::FollowRecords(const BatchSample& sample) {
  measured_rate_ = static_cast<double>(sample.records) / sample.processing_ms * 1000;
  const std::optional<double> estimate = estimators_.records.Compute(
      sample.time_ms, sample.records, sample.processing_ms, sample.scheduling_delay_ms);
  if (estimate.has_value()) {
    has_rate_estimate_ = true;
    limits_.rate = Capped(*estimate, max_rate_);
    limits_.byte_rate = 0;  // Would be of what came before, for ever.
    if (has_receiver_) limits_.unprocessed_bytes_max = StreamLimits::kMemoryAlone;
  } else if (starts_slowly_ && !has_estimate()) {
    FollowSpeed(sample);
  }
}

// receiver.maxRate and initialRate are no help here.
void RateController::FollowBytes(const BatchSample& sample) {
  measured_byte_rate_ = static_cast<double>(sample.bytes) / sample.processing_ms * 1000;
  const std::optional<double> estimate = estimators_.bytes.Compute(
      sample.time_ms, sample.bytes, sample.processing_ms, sample.scheduling_delay_ms);
  if (estimate.has_value()) {
    limits_.byte_rate = *estimate;
    limits_.unprocessed_bytes_max = StreamLimits::kMemoryAlone;
  } else if (!has_estimate()) {
    FollowSpeed(sample);
  }
}

void RateController::FollowSpeed(const BatchSample& sample) {
  const bool keeps_up = sample.processing_ms <= interval_ms_;
  if (!has_receiver_) {
    limits_.rate = keeps_up ? std::max(measured_rate_, min_rate_) : measured_rate_;
    return;
  }
  const double bytes = static_cast<double>(sample.bytes) / sample.processing_ms * interval_ms_ *
                       kIntervalsUnprocessed;
  const double least_bytes = keeps_up ? kLeastBytesPerSecond * interval_ms_ / 1000 : 0;
  limits_.unprocessed_bytes_max = ToBytes(std::max(bytes, least_bytes));
}

void RateController::GiveBack() {
  if (has_rate_estimate_) {
    limits_.rate = Capped(GivenBack(limits_.rate, measured_rate_), max_rate_);
  }
  limits_.byte_rate = GivenBack(limits_.byte_rate, measured_byte_rate_);
}

}  // namespace millrace::internal
