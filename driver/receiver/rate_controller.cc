#include "driver/receiver/rate_controller.h"

#include <algorithm>

#include "common/base/status_macros.h"

namespace millrace::internal {
namespace {

double Capped(double rate, double max_rate) {
  return max_rate > 0 ? std::min(rate, max_rate) : rate;
}

absl::StatusOr<PidRateEstimator> EstimatorOf(const StreamingSpec& spec) {
  PidOptions options;
  options.batch_interval_ms = spec.batch_interval.count();
  options.proportional = spec.pid_proportional;
  options.integral = spec.pid_integral;
  options.derived = spec.pid_derived;
  options.min_rate = spec.pid_min_rate;
  return PidRateEstimator::Create(options);
}

}  // namespace

absl::StatusOr<RateController> RateController::Create(const StreamingSpec& spec) {
  ASSIGN_OR_RETURN(const PidRateEstimator estimator, EstimatorOf(spec));
  return RateController(estimator, spec.max_rate);
}

absl::StatusOr<RateController> RateController::CreateForDirectStream(const StreamingSpec& spec) {
  ASSIGN_OR_RETURN(const PidRateEstimator estimator, EstimatorOf(spec));
  return RateController(estimator, 0);
}

double RateController::InitialRate(const StreamingSpec& spec) {
  if (!spec.backpressure_enabled || spec.initial_rate <= 0) return spec.max_rate;
  return Capped(spec.initial_rate, spec.max_rate);
}

double RateController::InitialDirectRate(const StreamingSpec& spec) {
  return spec.backpressure_enabled ? spec.initial_rate : 0;
}

std::optional<double> RateController::BatchCompleted(int64_t time_ms, int64_t records,
                                                     double processing_ms,
                                                     double scheduling_delay_ms) {
  const std::optional<double> rate =
      estimator_.Compute(time_ms, records, processing_ms, scheduling_delay_ms);
  if (!rate.has_value()) return std::nullopt;
  return Capped(*rate, max_rate_);
}

}  // namespace millrace::internal
