// How many records a second the application can take.
#ifndef MILLRACE_DRIVER_RECEIVER_PID_RATE_ESTIMATOR_H_
#define MILLRACE_DRIVER_RECEIVER_PID_RATE_ESTIMATOR_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"

namespace millrace::internal {

struct PidOptions {
  int64_t batch_interval_ms = 1000;
  double proportional = 1.0;  // Weight of the error: how far the rate is off now.
  double integral = 0.2;      // Of the accumulated error: the records that queue up.
  double derived = 0.0;       // Of the error's change.
  double min_rate = 100;      // Records a second; no estimate is lower, but see below.
};

// A proportional-integral-derivative controller over the processing rate, one a receiver stream:
//
//   rate       = records / processing time
//   error      = latest rate - rate
//   historical = scheduling delay * rate / batch interval
//   derivative = change of the error / time since the last estimate
//   new rate   = max(latest - Kp * error - Ki * historical - Kd * derivative, min_rate)
//
// The first batch with records primes it: the latest rate is what was measured, the error 0.
// Source: the PID estimator of Spark Streaming (org.apache.spark.streaming.scheduler.rate).
//
// Better than its source in two cases:
// - Ki * historical counts for at most half of `rate`. Each batch that queued up behind a slow one
//   tells of the same delay, so one slow batch would hold the input at the least rate until the
//   last of them is done. What waits is worked off with the other half.
// - A batch that took longer than its interval at less than `min_rate` shows that records are too
//   slow for this floor, with which delays would grow for ever. From then on, until an estimate is
//   above it again, the floor is half of what was measured.
class PidRateEstimator {
 public:
  // InvalidArgument: a negative weight, or an interval or least rate that is not positive.
  static absl::StatusOr<PidRateEstimator> Create(const PidOptions& options);

  // What was measured of a completed batch; batches come in the order of their completion. Nothing
  // when there is no new estimate: time did not go on, or the batch had no records or took no time.
  std::optional<double> Compute(int64_t time_ms, int64_t records, double processing_ms,
                                double scheduling_delay_ms);

 private:
  explicit PidRateEstimator(const PidOptions& options) : options_(options) {}

  PidOptions options_;
  bool is_primed_ = false;
  bool is_floor_too_high_ = false;
  int64_t latest_time_ms_ = -1;
  double latest_rate_ = -1;
  double latest_error_ = -1;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_RECEIVER_PID_RATE_ESTIMATOR_H_
