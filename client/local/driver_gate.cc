#include "client/local/driver_gate.h"

#include <utility>

namespace millrace::internal {

void DriverGate::Close(absl::Status reason) {
  std::shared_ptr<Runtime> released;  // Goes after the lock.
  const absl::MutexLock lock(&mutex_);
  released = std::exchange(runtime_, nullptr);
  reason_ = std::move(reason);
}

void DriverGate::Replace(const std::shared_ptr<Runtime>& runtime) {
  std::shared_ptr<Runtime> released;  // Goes after the lock.
  std::map<int64_t, AccumulatorMerge> accumulators;
  {
    const absl::MutexLock lock(&mutex_);
    released = std::exchange(runtime_, runtime);
    accumulators = accumulators_;
  }
  for (auto& [id, merge] : accumulators) {
    runtime->driver().RegisterAccumulator(id, std::move(merge));
  }
  const absl::MutexLock lock(&broadcasts_->mutex);
  for (auto& [id, value] : broadcasts_->values) {
    value.lease = runtime->driver().PutBroadcast(id, value.encoded);
  }
}

std::shared_ptr<Runtime> DriverGate::runtime() const {
  const absl::MutexLock lock(&mutex_);
  return runtime_;
}

absl::Status DriverGate::reason() const {
  const absl::MutexLock lock(&mutex_);
  return reason_;
}

int64_t DriverGate::NewId() {
  const auto runtime = this->runtime();
  return runtime ? runtime->driver().NewId() : -1;
}

absl::StatusOr<JobResult> DriverGate::RunJob(JobSpec job) {
  const auto runtime = this->runtime();
  if (!runtime) return reason();
  return runtime->driver().RunJob(std::move(job));
}

void DriverGate::SubmitJob(JobSpec job, std::function<void(absl::StatusOr<JobResult>)> done) {
  const auto runtime = this->runtime();
  if (!runtime) return done(reason());
  runtime->driver().SubmitJob(std::move(job), std::move(done));
}

Lease DriverGate::ShuffleLease(int64_t shuffle_id) {
  const auto runtime = this->runtime();
  return runtime ? runtime->driver().ShuffleLease(shuffle_id) : nullptr;
}

Lease DriverGate::CacheLease(int64_t rdd_id) {
  const auto runtime = this->runtime();
  return runtime ? runtime->driver().CacheLease(rdd_id) : nullptr;
}

Lease DriverGate::StateLease(int64_t state_id) {
  const auto runtime = this->runtime();
  return runtime ? runtime->driver().StateLease(state_id) : nullptr;
}

bool DriverGate::repairs_states() const {
  const auto runtime = this->runtime();
  return runtime && runtime->driver().repairs_states();
}

bool DriverGate::may_be_replaced() const {
  const auto runtime = this->runtime();
  return runtime && runtime->driver().may_be_replaced();
}

std::string DriverGate::application_id() const {
  const auto runtime = this->runtime();
  return runtime ? runtime->driver().application_id() : "";
}

EarlierBlocks DriverGate::BlocksReceivedBefore() {
  const auto runtime = this->runtime();
  return runtime ? runtime->driver().BlocksReceivedBefore() : EarlierBlocks();
}

void DriverGate::StateSaved(int64_t state_id, RddRef load) {
  if (const auto runtime = this->runtime()) {
    runtime->driver().StateSaved(state_id, std::move(load));
  }
}

Lease DriverGate::PutBroadcast(int64_t broadcast_id, std::string encoded) {
  const auto runtime = this->runtime();
  if (!runtime) return nullptr;
  if (keeps_broadcasts_ == KeepsBroadcasts::kNo) {
    return runtime->driver().PutBroadcast(broadcast_id, std::move(encoded));
  }
  Lease lease = runtime->driver().PutBroadcast(broadcast_id, encoded);
  {
    const absl::MutexLock lock(&broadcasts_->mutex);
    broadcasts_->values[broadcast_id] = {std::move(encoded), std::move(lease)};
  }
  return Lease(broadcasts_.get(), [broadcasts = broadcasts_, broadcast_id](void* /*values*/) {
    const absl::MutexLock lock(&broadcasts->mutex);
    broadcasts->values.erase(broadcast_id);
  });
}

void DriverGate::RegisterAccumulator(int64_t accumulator_id, AccumulatorMerge merge) {
  {
    const absl::MutexLock lock(&mutex_);
    accumulators_[accumulator_id] = merge;
  }
  if (const auto runtime = this->runtime()) {
    runtime->driver().RegisterAccumulator(accumulator_id, std::move(merge));
  }
}

void DriverGate::UnregisterAccumulator(int64_t accumulator_id) {
  {
    const absl::MutexLock lock(&mutex_);
    accumulators_.erase(accumulator_id);
  }
  if (const auto runtime = this->runtime()) {
    runtime->driver().UnregisterAccumulator(accumulator_id);
  }
}

int DriverGate::total_slots() {
  const auto runtime = this->runtime();
  return runtime ? runtime->driver().total_slots() : 1;
}

}  // namespace millrace::internal
