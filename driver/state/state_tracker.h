// Where keyed state lives, and how far it has been updated.
#ifndef MILLRACE_DRIVER_STATE_STATE_TRACKER_H_
#define MILLRACE_DRIVER_STATE_STATE_TRACKER_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace millrace::internal {

// Threads: the driver core's event loop.
// Invariants: (1) at most one update of a state is under way, from Begin until all its attempts
// have reported and were judged; (2) updates are committed in rising batch time.
class StateTracker {
 public:
  static constexpr int64_t kNever = -1;
  static constexpr int64_t kUnplaced = -1;

  bool IsBusy(int64_t state_id) const;
  void Begin(int64_t state_id);
  // Committed: every partition now is as of `batch_time_ms`. Else all are as they were before.
  void End(int64_t state_id, bool committed, int64_t batch_time_ms);

  int64_t LastCommitted(int64_t state_id) const;

  int64_t WorkerOf(int64_t state_id, int partition) const;
  void Place(int64_t state_id, int partition, int64_t worker_id);
  // Whether a partition was on a worker that is gone: nothing can be built on it any more.
  bool IsLost(int64_t state_id) const;
  void ForgetWorker(int64_t worker_id);

  // False: nothing was ever done for it.
  bool Drop(int64_t state_id) { return states_.erase(state_id) > 0; }
  bool empty() const { return states_.empty(); }

 private:
  struct State {
    int64_t last_committed_ms = kNever;
    bool is_busy = false;
    bool is_lost = false;
    std::vector<int64_t> workers;  // By partition.
  };

  const State* Find(int64_t state_id) const;

  absl::flat_hash_map<int64_t, State> states_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_STATE_STATE_TRACKER_H_
