// The speed of one stream, batch by batch.
#ifndef MILLRACE_DRIVER_RECEIVER_RATE_CONTROLLER_H_
#define MILLRACE_DRIVER_RECEIVER_RATE_CONTROLLER_H_

#include <cstdint>
#include <limits>

#include "absl/status/statusor.h"
#include "driver/batch/streaming_handle.h"
#include "driver/receiver/pid_rate_estimator.h"

namespace millrace::internal {

// What a stream may do.
struct StreamLimits {
  // No more bytes than the memory of its worker allows.
  static constexpr int64_t kMemoryAlone = std::numeric_limits<int64_t>::max();

  double rate = 0;                    // Records a second; 0: no limit.
  double byte_rate = 0;               // Of a receiver's blocks with unknown record counts.
  int64_t unprocessed_bytes_max = 0;  // A receiver's blocks of unfinished batches; 0: no limit.

  friend bool operator==(const StreamLimits&, const StreamLimits&) = default;
};

// What was measured of a stream's part of a completed batch.
struct BatchSample {
  int64_t time_ms = 0;
  int64_t records = 0;
  int64_t bytes = 0;  // 0 for streams without a receiver.
  double processing_ms = 0;
  double scheduling_delay_ms = 0;
};

// Follows PidRateEstimator, within receiver.maxRate, where that has an estimate. Better than its
// source elsewhere:
//
// - Where a receiver tells no record counts, the same estimator follows its bytes.
// - A slow start instead of no limit, before anything was measured, unless initialRate or maxRate
// is
//   set: a receiver may hold 1 MiB unprocessed for each second of the batch interval, a stream
//   without a receiver takes 10,000 records a second. From the first batch on it is what two
//   intervals can process at the speed of the latest batch (one for records), but while batches
//   keep to their interval not less than 64 KiB a second (minRate for records), for a few records
//   say little. So a fast stream is held back for one batch.
// - A batch without data that had not to wait shows that nothing is queued: what an estimate had
//   taken off the measured rate for that is given back, by at most doubling the rate each time.
//
// Threads: the driver core's event loop.
class RateController {
 public:
  // Of a receiver. InvalidArgument: senseless settings.
  static absl::StatusOr<RateController> Create(const StreamingSpec& spec);
  // Of a stream without a receiver, for which receiver.maxRate means nothing.
  static absl::StatusOr<RateController> CreateForDirectStream(const StreamingSpec& spec);

  // What a receiver may do before anything was measured. With backpressure on its rate is
  // millrace.streaming.backpressure.initialRate, and never more than receiver.maxRate.
  static StreamLimits InitialLimits(const StreamingSpec& spec);
  // The same for a stream without a receiver.
  static StreamLimits InitialDirectLimits(const StreamingSpec& spec);

  const StreamLimits& limits() const { return limits_; }

  // Batches come in the order of their completion.
  void BatchCompleted(const BatchSample& sample);

 private:
  struct Estimators {
    PidRateEstimator records;
    PidRateEstimator bytes;
  };

  RateController(const StreamingSpec& spec, const Estimators& estimators, double max_rate,
                 const StreamLimits& initial);
  static absl::StatusOr<Estimators> MakeEstimators(const StreamingSpec& spec);

  bool has_estimate() const { return has_rate_estimate_ || limits_.byte_rate > 0; }
  void FollowRecords(const BatchSample& sample);
  void FollowBytes(const BatchSample& sample);
  // While there is no estimate.
  void FollowSpeed(const BatchSample& sample);
  void GiveBack();

  Estimators estimators_;
  double interval_ms_;
  double min_rate_;
  double max_rate_;  // 0: none.
  bool has_receiver_;
  bool starts_slowly_;
  bool has_rate_estimate_ = false;
  // Of the latest batch with records, and with bytes alone.
  double measured_rate_ = 0;
  double measured_byte_rate_ = 0;
  StreamLimits limits_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_RECEIVER_RATE_CONTROLLER_H_
