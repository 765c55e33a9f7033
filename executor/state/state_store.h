// The keyed state of a worker: which partitions it has, up to which batch, and who is changing
// them.
#ifndef MILLRACE_EXECUTOR_STATE_STATE_STORE_H_
#define MILLRACE_EXECUTOR_STATE_STATE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "executor/task/task_node.h"

namespace millrace::internal {

struct StateKey {
  int64_t state_id = 0;
  uint32_t partition = 0;

  friend bool operator==(const StateKey&, const StateKey&) = default;
  template <class H>
  friend H AbslHashValue(H hash, const StateKey& key) {
    return H::combine(std::move(hash), key.state_id, key.partition);
  }
};

// What a task wants to do to a state partition.
struct StateUpdateRequest {
  StateKey key;
  int64_t task_id = 0;
  int64_t batch_time_ms = 0;
  int64_t previous_time_ms = -1;  // The update that this one builds on; -1: none, start empty.
};

// Gives each state partition to one task attempt at a time. What the attempt changed counts from
// its commit on; an abort leaves the partition as it was before.
//
// Threads: Acquire on task threads, the rest on the worker core's event loop. The partition that
// Acquire gives belongs to the task's thread until the task has ended.
// Invariants: a partition's committed time rises; a held partition goes to no other attempt, and
// not away either, until its holder was committed or aborted.
class StateStore {
 public:
  using MakePartition = std::function<std::unique_ptr<StatePartition>()>;

  // The partition as the update of `previous_time_ms` left it; without one, what `make` gives.
  // Asking again for the same task gives the same partition.
  //   FailedPrecondition: held by another attempt, or already past the request.
  //   DataLoss: this worker does not have the update that the request builds on.
  absl::StatusOr<StatePartition*> Acquire(const StateUpdateRequest& request,
                                          const MakePartition& make);

  // Both end a task's hold on all that it acquired, be it nothing. Call them after the task ended.
  void Commit(int64_t task_id);
  void Abort(int64_t task_id);
  // The attempt waits to be judged.
  bool Holds(int64_t task_id) const;

  // Held partitions go when they are committed or aborted.
  void Drop(int64_t state_id);
  // The same for all with ids below that.
  void DropBelow(int64_t state_id);
  // Of the attempts with ids below that which wait to be judged; `runs` says which still run.
  void AbortBelow(int64_t task_id, absl::FunctionRef<bool(int64_t)> runs);

  size_t partition_count() const;
  // As of each partition's latest commit or abort.
  size_t memory_bytes() const;

 private:
  static constexpr int64_t kNone = -1;

  struct Entry {
    std::unique_ptr<StatePartition> partition;
    int64_t committed_time_ms = kNone;
    size_t memory_bytes = 0;

    // Of the holder, if there is one.
    int64_t holder_task_id = kNone;
    int64_t pending_time_ms = kNone;
    bool starts_empty = false;               // It did not build on `before`,
    std::unique_ptr<StatePartition> before;  // which an abort brings back.
    bool drop_when_free = false;
  };

  absl::Status Check(const StateUpdateRequest& request, const Entry* entry) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Judge(int64_t task_id, bool commit);
  void DropIf(absl::FunctionRef<bool(int64_t)> is_dropped);
  void Release(const StateKey& key, bool commit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<StateKey, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<int64_t, std::vector<StateKey>> held_by_task_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_STATE_STATE_STORE_H_
