// The speed of one stream, batch by batch.
#ifndef MILLRACE_DRIVER_RECEIVER_RATE_CONTROLLER_H_
#define MILLRACE_DRIVER_RECEIVER_RATE_CONTROLLER_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "driver/batch/streaming_handle.h"
#include "driver/receiver/pid_rate_estimator.h"

namespace millrace::internal {

// Threads: the driver core's event loop.
class RateController {
 public:
  // Of a receiver. InvalidArgument: senseless settings.
  static absl::StatusOr<RateController> Create(const StreamingSpec& spec);
  // Of a stream without a receiver, for which receiver.maxRate means nothing.
  static absl::StatusOr<RateController> CreateForDirectStream(const StreamingSpec& spec);

  // What a receiver may do before anything was measured; 0: no limit. With backpressure on that is
  // millrace.streaming.backpressure.initialRate, and never more than receiver.maxRate.
  static double InitialRate(const StreamingSpec& spec);

  // The same for a stream without a receiver.
  static double InitialDirectRate(const StreamingSpec& spec);

  // The new limit after a completed batch, if there is one.
  std::optional<double> BatchCompleted(int64_t time_ms, int64_t records, double processing_ms,
                                       double scheduling_delay_ms);

 private:
  RateController(PidRateEstimator estimator, double max_rate)
      : estimator_(estimator), max_rate_(max_rate) {}

  PidRateEstimator estimator_;
  double max_rate_;  // 0: none.
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_RECEIVER_RATE_CONTROLLER_H_
