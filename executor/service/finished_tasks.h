// The tasks that ended not long ago.
#ifndef MILLRACE_EXECUTOR_SERVICE_FINISHED_TASKS_H_
#define MILLRACE_EXECUTOR_SERVICE_FINISHED_TASKS_H_

#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_set.h"

namespace millrace::internal {

// Tells a launch that was delivered twice from a new one. Remembers the last `kTasksMax` tasks, far
// more than a connection has under way when it breaks. One thread.
class FinishedTasks {
 public:
  static constexpr size_t kTasksMax = 8192;

  void Add(int64_t task_id) {
    if (!ids_.insert(task_id).second) return;
    order_.push_back(task_id);
    if (order_.size() <= kTasksMax) return;
    ids_.erase(order_.front());
    order_.pop_front();
  }
  bool Contains(int64_t task_id) const { return ids_.contains(task_id); }

 private:
  absl::flat_hash_set<int64_t> ids_;
  std::deque<int64_t> order_;  // Of the same ids, the oldest first.
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SERVICE_FINISHED_TASKS_H_
