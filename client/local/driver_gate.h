// The driver as handles see it, which may outlive their context.
#ifndef MILLRACE_CLIENT_LOCAL_DRIVER_GATE_H_
#define MILLRACE_CLIENT_LOCAL_DRIVER_GATE_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/local/runtime.h"

namespace millrace::internal {

// Passes calls on to a runtime until it is closed; answers with the reason afterwards, or from the
// start when there is no runtime because the context could not be made.
class DriverGate final : public DriverHandle {
 public:
  explicit DriverGate(std::shared_ptr<Runtime> runtime) : runtime_(std::move(runtime)) {}
  explicit DriverGate(absl::Status reason) : reason_(std::move(reason)) {}

  void Close(absl::Status reason) ABSL_LOCKS_EXCLUDED(mutex_);

  int64_t NewId() override;
  absl::StatusOr<JobResult> RunJob(JobSpec job) override;
  void SubmitJob(JobSpec job, std::function<void(absl::StatusOr<JobResult>)> done) override;
  Lease ShuffleLease(int64_t shuffle_id) override;
  Lease CacheLease(int64_t rdd_id) override;
  Lease StateLease(int64_t state_id) override;
  Lease PutBroadcast(int64_t broadcast_id, std::string encoded) override;
  void RegisterAccumulator(int64_t accumulator_id, AccumulatorMerge merge) override;
  void UnregisterAccumulator(int64_t accumulator_id) override;
  int total_slots() override;

 private:
  // Null once closed. What it gives stays alive, if stopped, for as long as it is held.
  std::shared_ptr<Runtime> runtime() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status reason() const ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  std::shared_ptr<Runtime> runtime_ ABSL_GUARDED_BY(mutex_);
  absl::Status reason_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_DRIVER_GATE_H_
