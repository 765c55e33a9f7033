#include "client/dstream/dstream_node.h"

#include <algorithm>
#include <utility>

#include "client/dstream/saved_data_sets.h"
#include "client/dstream/stream_graph.h"
#include "client/rdd/context_state.h"
#include "driver/service/driver_handle.h"

namespace millrace::internal {

DStreamNode::DStreamNode(StreamGraph& graph, const Operation& operation,
                         std::vector<DStreamNode*> parents, std::chrono::milliseconds slide)
    : graph_(graph), operation_(operation), parents_(std::move(parents)), slide_(slide) {}

std::string DStreamNode::label() const {
  if (name_.empty()) return ToString(operation_);
  return "\"" + name_ + "\" (" + ToString(operation_) + ")";
}

absl::StatusOr<RddRef> DStreamNode::GetOrCompute(Time time) {
  if (!graph_.HasDataSetAt(time, slide_)) return RddRef();
  SavedDataSets* const saved = graph_.saved_data_sets();
  if (const auto it = made_.find(time); it != made_.end()) {
    if (RddRef from_disk = saved == nullptr ? nullptr : saved->TakeSaved(*this, time)) {
      KeepOnWorkers(from_disk);
      it->second = std::move(from_disk);
    }
    return it->second;
  }
  const int64_t generation = graph_.generation();
  if (failure_ && failure_->time == time && failure_->generation == generation) {
    return failure_->status;
  }
  const int64_t provisional_before = graph_.provisional_count();
  RddRef earlier = saved == nullptr ? nullptr : saved->FindEarlier(*this, time);
  absl::StatusOr<RddRef> made = earlier == nullptr ? Compute(time) : std::move(earlier);
  if (!made.ok()) {
    failure_ = Failure{time, generation, made.status()};
    return made;
  }
  KeepOnWorkers(*made);
  if (graph_.provisional_count() != provisional_before) return made;
  made_.emplace(time, *made);
  if (saved != nullptr) saved->Made(*this, time, *made);
  return made;
}

void DStreamNode::KeepOnWorkers(const RddRef& rdd) const {
  if (rdd == nullptr || storage_level_ == StorageLevel::kNone) return;
  // A function may return the very data set of another stream, which then has its level already.
  if (rdd->storage_level.load() != StorageLevel::kNone) return;
  if (rdd->cache_lease == nullptr) {
    rdd->cache_lease = graph_.context()->driver->CacheLease(rdd->rdd_id);
  }
  rdd->storage_level.store(storage_level_);
}

void DStreamNode::PersistForReuse() {
  if (storage_level_ == StorageLevel::kNone) Persist(StorageLevel::kMemoryOnly);
}

std::optional<std::chrono::milliseconds> DStreamNode::checkpoint_interval() const {
  return checkpoint_interval_ ? checkpoint_interval_ : default_checkpoint_interval();
}

void DStreamNode::RaiseRemember(std::chrono::milliseconds duration) {
  remember_ = std::max(remember_, duration);
}

void DStreamNode::ForgetBefore(Time batch_time) {
  made_.erase(made_.begin(), made_.upper_bound(batch_time - remember_));
}

}  // namespace millrace::internal
