// The driver as handles see it, which may outlive their context.
#ifndef MILLRACE_CLIENT_LOCAL_DRIVER_GATE_H_
#define MILLRACE_CLIENT_LOCAL_DRIVER_GATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/local/runtime.h"

namespace millrace::internal {

// Passes calls on to a runtime until it is closed; answers with the reason afterwards, or from the
// start when there is no runtime because the context could not be made.
//
// Accumulators are made known to every runtime that comes, and so are broadcast values where the
// gate is told to keep them.
class DriverGate final : public DriverHandle {
 public:
  enum class KeepsBroadcasts : uint8_t { kNo, kYes };

  DriverGate(std::shared_ptr<Runtime> runtime, KeepsBroadcasts keeps)
      : keeps_broadcasts_(keeps), runtime_(std::move(runtime)) {}
  explicit DriverGate(absl::Status reason) : reason_(std::move(reason)) {}

  void Close(absl::Status reason) ABSL_LOCKS_EXCLUDED(mutex_);
  // Calls go to another driver from now on.
  void Replace(const std::shared_ptr<Runtime>& runtime) ABSL_LOCKS_EXCLUDED(mutex_);

  int64_t NewId() override;
  absl::StatusOr<JobResult> RunJob(JobSpec job) override;
  void SubmitJob(JobSpec job, std::function<void(absl::StatusOr<JobResult>)> done) override;
  Lease ShuffleLease(int64_t shuffle_id) override;
  Lease CacheLease(int64_t rdd_id) override;
  Lease StateLease(int64_t state_id) override;
  bool repairs_states() const override;
  void StateSaved(int64_t state_id, RddRef load) override;
  Lease PutBroadcast(int64_t broadcast_id, std::string encoded) override;
  void RegisterAccumulator(int64_t accumulator_id, AccumulatorMerge merge) override;
  void UnregisterAccumulator(int64_t accumulator_id) override;
  bool may_be_replaced() const override;
  std::string application_id() const override;
  EarlierBlocks BlocksReceivedBefore() override;
  int total_slots() override;

 private:
  // Null once closed. What it gives stays alive, if stopped, for as long as it is held.
  std::shared_ptr<Runtime> runtime() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status reason() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Values that somebody still wants; shared with the leases of those who do.
  struct Broadcasts {
    struct Value {
      std::string encoded;
      Lease lease;  // Of the present driver.
    };
    absl::Mutex mutex;
    std::map<int64_t, Value> values ABSL_GUARDED_BY(mutex);
  };

  const KeepsBroadcasts keeps_broadcasts_ = KeepsBroadcasts::kNo;
  const std::shared_ptr<Broadcasts> broadcasts_ = std::make_shared<Broadcasts>();

  mutable absl::Mutex mutex_;
  std::shared_ptr<Runtime> runtime_ ABSL_GUARDED_BY(mutex_);
  absl::Status reason_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, AccumulatorMerge> accumulators_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_DRIVER_GATE_H_
