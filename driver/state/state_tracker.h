// Where keyed state lives, how far it has been updated, and what it can be made of again.
#ifndef MILLRACE_DRIVER_STATE_STATE_TRACKER_H_
#define MILLRACE_DRIVER_STATE_STATE_TRACKER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

// Threads: the driver core's event loop.
// Invariants: (1) at most one update of a state is under way, from Begin until all its attempts
// have reported and were judged; (2) updates are committed in rising batch time; (3) what is
// remembered of a state stands in rising batch time, the first step starts from nothing unless
// something is missing before it.
class StateTracker {
 public:
  static constexpr int64_t kNever = -1;
  static constexpr int64_t kUnplaced = -1;

  // An update was begun, and it was not dropped since.
  bool IsKnown(int64_t state_id) const { return states_.contains(state_id); }
  bool IsBusy(int64_t state_id) const;
  void Begin(int64_t state_id);
  // Committed: every partition now is as of `batch_time_ms`. Else all are as they were before.
  void End(int64_t state_id, bool committed, int64_t batch_time_ms);

  int64_t LastCommitted(int64_t state_id) const;

  // Why an update that was begun, or is to be, is not made.
  void Failed(int64_t state_id, const absl::Status& reason);
  // Of the first since the last one that was committed; OK: none has failed.
  absl::Status FirstFailure(int64_t state_id) const;

  int64_t WorkerOf(int64_t state_id, int partition) const;
  // Of an update that was begun, for a state that was not dropped since.
  void Place(int64_t state_id, int partition, int64_t worker_id);
  // The partition there is as of that update now. A state that was dropped stays so.
  void Updated(int64_t state_id, int partition, int64_t worker_id, int64_t batch_time_ms);
  // Whether a partition was on a worker that is gone: nothing can be built on it before it was
  // repaired.
  bool IsLost(int64_t state_id) const;
  void ForgetWorker(int64_t worker_id);
  // Of all states.
  int64_t PartitionsOn(int64_t worker_id) const;

  // `update`, which is committed, is a step to make lost partitions of again.
  void Remember(int64_t state_id, RddRef update);
  // `load` starts from nothing and leaves what was saved of the update of its batch time: it stands
  // for all steps up to that. Ignored if there was no such update.
  void Saved(int64_t state_id, RddRef load);
  struct Repair {
    RddRef step;
    std::vector<int> partitions;
  };
  // The next step to make lost partitions of; none: nothing is lost.
  //   DataLoss: it is not known how.
  absl::StatusOr<std::optional<Repair>> NextRepair(int64_t state_id) const;

  // False: nothing was ever done for it.
  bool Drop(int64_t state_id) { return states_.erase(state_id) > 0; }
  bool empty() const { return states_.empty(); }

 private:
  // Of a state that is never saved no more steps than this are remembered.
  static constexpr size_t kStepsMax = 100'000;

  struct Partition {
    int64_t worker = kUnplaced;
    int64_t as_of_ms = kNever;  // The update that the worker has.
  };
  struct State {
    int64_t last_committed_ms = kNever;
    bool is_busy = false;
    absl::Status first_failure;  // Since then.
    std::vector<Partition> partitions;
    std::deque<RddRef> steps;

    bool IsCurrent(const Partition& partition) const {
      return partition.as_of_ms == last_committed_ms;
    }
  };

  const State* Find(int64_t state_id) const;
  Partition& PartitionOf(State& state, int partition);

  absl::flat_hash_map<int64_t, State> states_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_STATE_STATE_TRACKER_H_
