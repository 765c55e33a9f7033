#include "driver/receiver/pid_rate_estimator.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace millrace::internal {
namespace {

// Of the measured rate: what is taken off at most because batches wait.
constexpr double kHistoricalShareMax = 0.5;
// Of the measured rate, where that is below the least rate.
constexpr double kFloorShare = 0.5;

absl::Status CheckNotNegative(const char* key, double value) {
  if (value >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("millrace.streaming.backpressure.pid.", key, " = ",
                                                 value, ": must not be negative"));
}

}  // namespace

absl::StatusOr<PidRateEstimator> PidRateEstimator::Create(const PidOptions& options) {
  for (const absl::Status& checked : {CheckNotNegative("proportional", options.proportional),
                                      CheckNotNegative("integral", options.integral),
                                      CheckNotNegative("derived", options.derived)}) {
    if (!checked.ok()) return checked;
  }
  if (options.batch_interval_ms <= 0) {
    return absl::InvalidArgumentError("the batch interval must be positive");
  }
  if (!(options.min_rate > 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "millrace.streaming.backpressure.pid.minRate = ", options.min_rate, ": must be positive"));
  }
  return PidRateEstimator(options);
}

std::optional<double> PidRateEstimator::Compute(int64_t time_ms, int64_t records,
                                                double processing_ms, double scheduling_delay_ms) {
  if (time_ms <= latest_time_ms_ || records <= 0 || !(processing_ms > 0)) return std::nullopt;
  const double rate = static_cast<double>(records) / processing_ms * 1000;
  if (!is_primed_) {
    is_primed_ = true;
    latest_time_ms_ = time_ms;
    latest_rate_ = rate;
    latest_error_ = 0;
    return std::nullopt;
  }
  const auto interval_ms = static_cast<double>(options_.batch_interval_ms);
  const double seconds = static_cast<double>(time_ms - latest_time_ms_) / 1000;
  const double error = latest_rate_ - rate;
  const double historical = scheduling_delay_ms * rate / interval_ms;
  const double derivative = (error - latest_error_) / seconds;
  const double estimate = latest_rate_ - options_.proportional * error -
                          std::min(options_.integral * historical, kHistoricalShareMax * rate) -
                          options_.derived * derivative;
  if (estimate >= options_.min_rate) {
    is_floor_too_high_ = false;
  } else if (rate < options_.min_rate && processing_ms > interval_ms) {
    is_floor_too_high_ = true;
  }
  const double floor =
      is_floor_too_high_ ? std::min(options_.min_rate, kFloorShare * rate) : options_.min_rate;
  const double next = std::max(estimate, floor);
  latest_time_ms_ = time_ms;
  latest_rate_ = next;
  latest_error_ = error;
  return next;
}

}  // namespace millrace::internal
