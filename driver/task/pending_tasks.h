// The tasks of one set that wait for a slot, by where they may run.
#ifndef MILLRACE_DRIVER_TASK_PENDING_TASKS_H_
#define MILLRACE_DRIVER_TASK_PENDING_TASKS_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"

namespace millrace::internal {

// A task may stand in several queues; who takes it from one tells by `is_pending` that the others
// are stale. Every operation is O(1) amortized but for retries, which are few.
class PendingTasks {
 public:
  using IsPending = absl::FunctionRef<bool(int)>;

  void AddAnywhere(int index) { anywhere_.push_back(index); }
  void AddFor(absl::Span<const int64_t> workers, int index);
  // Anywhere but on `avoid`, as long as RelaxRetries has not been called since.
  void AddRetry(int index, int64_t avoid) { retries_.push_back({index, avoid}); }
  void RelaxRetries();

  bool HasTasksFor(int64_t worker_id) const {
    const auto queue = by_worker_.find(worker_id);
    return queue != by_worker_.end() && !queue->second.empty();
  }

  // As Take, but only of the tasks that were added for this worker.
  int TakeOwn(int64_t worker_id, IsPending is_pending);
  // One of those that avoid this worker.
  int TakeAvoiding(int64_t worker_id, IsPending is_pending);

  // The task that `worker_id` runs next: one that must or should run there before the others.
  // -1: none.
  int Take(int64_t worker_id, IsPending is_pending);

 private:
  static constexpr int64_t kNowhere = -1;

  struct Retry {
    int index;
    int64_t avoid;
  };

  int TakeRetry(int64_t worker_id, IsPending is_pending);
  int TakeFromRetries(absl::FunctionRef<bool(const Retry&)> is_wanted, IsPending is_pending);
  static int TakeFront(std::deque<int>& queue, IsPending is_pending);

  std::vector<Retry> retries_;
  absl::flat_hash_map<int64_t, std::deque<int>> by_worker_;
  std::deque<int> anywhere_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_TASK_PENDING_TASKS_H_
