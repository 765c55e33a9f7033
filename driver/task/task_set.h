// The tasks of a stage, as the task scheduler sees them.
#ifndef MILLRACE_DRIVER_TASK_TASK_SET_H_
#define MILLRACE_DRIVER_TASK_TASK_SET_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "driver/dag/plan_cache.h"
#include "driver/task/pending_tasks.h"
#include "driver/task/slow_tasks.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

struct SchedulingPool;

struct TaskPlacement {
  absl::InlinedVector<int64_t, 2> workers;  // Empty: any.
  // The task can run nowhere else: its state, blocks or shuffle partition are there.
  bool is_mandatory = false;
  // It reads a shuffle partition that gathers on another worker, where it does not wait for it: not
  // to be launched before all is there.
  bool is_split = false;
  // Mandatory only as long as its inputs are being made: another worker could fetch them all.
  bool can_fetch = false;
};

struct TaskAttempt {
  int64_t task_id = 0;
  int64_t worker_id = 0;
};

// What a stage tells the scheduler about its tasks, and learns of them.
//
// Threads: the driver core's event loop. Callbacks come from within the scheduler's HandleStatus
// and WorkerLost, and may call the scheduler.
class TaskSet : public std::enable_shared_from_this<TaskSet> {
 public:
  TaskSet() = default;
  virtual ~TaskSet() = default;
  TaskSet(const TaskSet&) = delete;
  TaskSet& operator=(const TaskSet&) = delete;

  // Sets all that a request to this worker needs but its ids and attempt. The plan stays alive as
  // long as the set.
  virtual const Plan& FillRequest(int index, int64_t worker_id, proto::TaskRequest& request) = 0;
  // Asked for only when there are several workers.
  virtual TaskPlacement PlacementOf(int index) = 0;
  // "task 3 of 8 of ReduceByKey at wc.cc:14"
  virtual std::string DescribeTask(int index) const = 0;

  // The first success of each task.
  virtual void TaskSucceeded(int index, const TaskAttempt& attempt, proto::TaskStatus status) = 0;
  // The worker has lost persisted partitions or blocks that the task reads. The set either calls
  // TaskScheduler::Requeue, now or later, or fails.
  virtual void InputsLost(int index, const TaskAttempt& attempt,
                          const proto::TaskStatus& status) = 0;
  // A task has failed too often. The set calls TaskScheduler::Cancel.
  virtual void TaskFailedForGood(int index, absl::Status reason) = 0;
  // The set was cancelled and the last of its attempts has reported.
  virtual void Drained() {}

 protected:
  // Called once, before the set is submitted.
  void InitTasks(int count, int64_t job_id, int64_t order, std::string pool, bool is_judged) {
    tasks_.resize(static_cast<size_t>(count));
    job_id_ = job_id;
    order_ = order;
    pool_name_ = std::move(pool);
    is_judged_ = is_judged;
  }

 private:
  friend class TaskScheduler;
  friend class SchedulingPools;

  enum class TaskState : uint8_t { kWaiting, kPending, kRunning, kDone };

  struct Task {
    TaskState state = TaskState::kWaiting;
    uint8_t misses = 0;  // Of the plan or of a peer, without harm.
    uint16_t failures = 0;
    uint32_t attempts = 0;
    int64_t running_id = 0;  // The first of its attempts that run.
  };

  struct EarlyRetry {
    int index = 0;
    int64_t failed_on = 0;
  };
  struct FailedAttempt {
    int64_t worker_id = 0;
    std::string reason;
  };

  Task& task(int index) { return tasks_[static_cast<size_t>(index)]; }

  std::vector<Task> tasks_;
  int64_t job_id_ = 0;
  int64_t order_ = 0;  // Among the sets of a job.
  std::string pool_name_;
  // Workers wait for the verdict on every attempt of it: commit or abort.
  bool is_judged_ = false;

  PendingTasks pending_;
  SlowTasks slow_tasks_;
  std::vector<int> unfinished_;  // Those that had not ended when it was known which are slow.
  // Tasks that run and are to have no other attempt beside it, with the id of the second attempt;
  // 0: it has ended, or there is to be none.
  absl::btree_map<int, int64_t> second_attempts_;
  std::vector<EarlyRetry> early_retries_;  // To be queued when the inputs are ready.
  // Of tasks that have not succeeded yet, by task. Empty while there is a choice of one worker.
  absl::flat_hash_map<int, std::vector<FailedAttempt>> failed_attempts_;
  int pending_count_ = 0;
  int running_count_ = 0;
  bool inputs_ready_ = false;
  bool cancelled_ = false;
  bool queued_ = false;  // Stands in its pool.
  bool relax_timer_set_ = false;
  bool holds_split_ = false;  // Pending tasks have no place before the inputs are ready.
  bool retry_timer_set_ = false;
  bool slow_timer_set_ = false;
  SchedulingPool* pool_ = nullptr;
  int64_t last_served_ = 0;  // The number of its latest launch among all.
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_TASK_TASK_SET_H_
