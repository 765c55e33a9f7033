// DriverHandle for threads that are not the event loop.
#ifndef MILLRACE_DRIVER_SERVICE_DRIVER_SERVICE_H_
#define MILLRACE_DRIVER_SERVICE_DRIVER_SERVICE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/concurrent/loop_port.h"
#include "common/env/env.h"
#include "driver/driver_core.h"
#include "driver/service/driver_handle.h"
#include "driver/service/streaming_service.h"

namespace millrace::internal {

// Turns each call into a closure on the driver core's loop. It makes the core, on no thread in
// particular: nothing of it runs before the first message or call.
//
// Lifetime: Stop before the Env stops, the Env before this goes. Leases and late calls may come
// after Stop: they do nothing, or are Cancelled.
// Threads: any but the event loop, but for `core`, which is the loop's.
class DriverService final : public DriverHandle {
 public:
  DriverService(Env& env, DriverTransport& transport, DriverOptions options);
  ~DriverService() override { Stop(); }

  // For those who deliver messages, on the loop.
  DriverCore& core() { return core_; }

  // Jobs and the streaming run are cancelled. Returns at once; the Env's Stop waits for the rest.
  void Stop();

  // Call it when the Env has stopped: whoever waits for a streaming run that this cut off is told
  // that the run has stopped.
  void EnvStopped() ABSL_LOCKS_EXCLUDED(mutex_);

  // A streaming run; one at a time. Null once the Env has stopped.
  std::shared_ptr<StreamingHandle> NewStreaming() ABSL_LOCKS_EXCLUDED(mutex_);

  int64_t NewId() override { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  absl::StatusOr<JobResult> RunJob(JobSpec job) override;
  void SubmitJob(JobSpec job, std::function<void(absl::StatusOr<JobResult>)> done) override;
  Lease ShuffleLease(int64_t shuffle_id) override;
  Lease CacheLease(int64_t rdd_id) override;
  Lease StateLease(int64_t state_id) override;
  bool repairs_states() const override { return repairs_states_; }
  bool may_be_replaced() const override { return may_be_replaced_; }
  std::string application_id() const override { return application_id_; }
  EarlierBlocks BlocksReceivedBefore() override;
  void StateSaved(int64_t state_id, RddRef load) override;
  Lease PutBroadcast(int64_t broadcast_id, std::string encoded) override;
  void RegisterAccumulator(int64_t accumulator_id, AccumulatorMerge merge) override;
  void UnregisterAccumulator(int64_t accumulator_id) override;
  int total_slots() override { return total_slots_.load(std::memory_order_acquire); }

  // What the stages of a recent batch did and cost. None: no answer in time, or stopped.
  std::optional<std::vector<StageReport>> StagesOf(int64_t batch_time_ms,
                                                   std::chrono::milliseconds timeout);

 private:
  class Delivery;

  void Submit(JobSpec job, std::shared_ptr<Delivery> delivery);  // On the loop.
  Lease MakeLease(int64_t id, void (DriverCore::*drop)(int64_t));

  Env& env_;
  const bool repairs_states_;
  const bool may_be_replaced_;
  const std::string application_id_;
  std::atomic<int64_t> next_id_;
  std::atomic<int> total_slots_{0};
  std::atomic<int> waiting_{0};  // Callers of RunJob.
  DriverCore core_;
  const std::shared_ptr<LoopPort> port_;

  absl::Mutex mutex_;
  bool has_env_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::weak_ptr<StreamingService> streaming_ ABSL_GUARDED_BY(mutex_);  // The latest.
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_SERVICE_DRIVER_SERVICE_H_
