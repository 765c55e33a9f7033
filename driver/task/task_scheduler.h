// Gives tasks to workers and takes their statuses.
#ifndef MILLRACE_DRIVER_TASK_TASK_SCHEDULER_H_
#define MILLRACE_DRIVER_TASK_TASK_SCHEDULER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/env/env.h"
#include "driver/cluster/worker_exclusion.h"
#include "driver/cluster/worker_registry.h"
#include "driver/task/scheduling_pools.h"
#include "driver/task/slow_tasks.h"
#include "driver/task/task_set.h"

namespace millrace::internal {

struct TaskOptions {
  int max_failures = 4;  // Of one task; then its set fails.
  // How long a task that prefers a worker waits for it. Short: a stream's batch cannot wait for
  // seconds.
  std::chrono::microseconds locality_wait{20'000};
  // How long a task that has failed waits for another worker. Long enough for a slot to come free:
  // a worker on which tasks fail at once is always free, and four failures end a job.
  std::chrono::microseconds retry_wait{1'000'000};
  ExclusionOptions exclusion;
  SpeculationOptions speculation;
  PoolOptions pools;
};

// Two kinds of launch: a task whose inputs are ready takes a slot; one of a set that still waits
// for a shuffle may be sent ahead to the worker where its inputs gather, holds no slot there, and
// takes one (be it one too many) when they are ready.
//
// A task has one attempt, or two while it is slow and another worker had a slot for which nothing
// else waited. The first success counts, and the other attempt is cancelled and nothing of it
// counts.
//
// Calls only note what could be launched; Dispatch launches it. So a job's sets go out together.
//
// Threads: the driver core's event loop.
// Invariants: (1) an attempt is in `running_` from its launch until its status or its worker's
// loss; (2) every attempt of a judged set that has ended is judged once; (3) what is sent to a
// worker before Dispatch (verdicts, plans) arrives before the launches.
class TaskScheduler {
 public:
  TaskScheduler(Env& env, WorkerRegistry& workers, TaskOptions options, int64_t first_task_id);

  // All tasks of the set are to run. Without `inputs_ready` they may be launched ahead.
  void Submit(TaskSet& set, bool inputs_ready);
  void InputsReady(TaskSet& set);
  // A task whose inputs were lost is to run again.
  void Requeue(TaskSet& set, int index);
  // Waiting tasks look for their place once more: there were too few workers to choose from.
  void PlaceAgain(TaskSet& set);
  // Launches nothing more of it and cancels what runs; TaskSet::Drained follows.
  void Cancel(TaskSet& set);
  // The verdict on an attempt of a judged set that has succeeded.
  void Judge(const TaskAttempt& attempt, bool commit);

  void Dispatch();

  // Unknown and repeated statuses are ignored.
  void HandleStatus(proto::TaskStatus status);
  void WorkerAdded(int64_t worker_id);
  // After the worker has left the registry: its attempts have failed.
  void WorkerLost(int64_t worker_id, const std::string& reason);

  // Attempts of the set run there, or tasks wait for it.
  bool RunsOn(const TaskSet& set, int64_t worker_id) const;
  bool WaitsFor(const TaskSet& set, int64_t worker_id) const {
    return set.pending_.HasTasksFor(worker_id);
  }

  int running_count() const { return static_cast<int>(running_.size()); }

 private:
  using Task = TaskSet::Task;
  using TaskState = TaskSet::TaskState;

  struct Running {
    std::shared_ptr<TaskSet> set;
    int index = 0;
    int64_t worker_id = 0;
    bool is_ahead = false;        // Launched before its inputs were ready, which they are not yet.
    int64_t launched_micros = 0;  // Or when its inputs were. Where slow tasks are looked for.
  };
  struct WantedAttempt {
    std::weak_ptr<TaskSet> set;
    int index = 0;
    int64_t first_id = 0;
  };

  void Enqueue(TaskSet& set, int index);
  void EnqueueRetry(TaskSet& set, int index, int64_t failed_on);
  void MarkPending(TaskSet& set, int index);
  void FindPlace(TaskSet& set, int index);
  TaskPlacement UsablePlacement(TaskSet& set, int index) const;
  void Relax(TaskSet& set);
  void SetRelaxTimer(TaskSet& set);
  void SetRetryTimer(TaskSet& set);

  void OfferSlots(Worker& worker);
  void OfferSlotsToAll();
  bool OfferOne(Worker& worker);
  bool LaunchFrom(TaskSet& set, Worker& worker);
  int TakeFor(TaskSet& set, const Worker& worker);
  bool MustRunOn(TaskSet& set, int index, int64_t worker_id) const;
  void LaunchAhead(TaskSet& set);
  void Launch(TaskSet& set, int index, Worker& worker);
  int64_t LaunchAttempt(TaskSet& set, int index, Worker& worker);
  void RegisterPlan(const Plan& plan, Worker& worker);
  void SendLaunches(Worker& worker);

  void NoteFailure(const Running& running, const absl::Status& reason);
  void NoteSuccess(const Running& running);
  // Second attempts at slow tasks (task_scheduler_speculation.cc).
  void NoteRunTime(const Running& running);
  void SetSlowTimer(TaskSet& set);
  void LookForSlowTasks(TaskSet& set);
  bool IsSlow(TaskSet& set, int index, int64_t now_micros) const;
  void OfferSecondAttempts(Worker& worker);
  bool IsStillWanted(const WantedAttempt& wanted) const;
  bool MayRunBeside(TaskSet& set, int index, const Worker& worker) const;
  int64_t SecondAttemptAt(const TaskSet& set, int index) const;
  void CancelAttempt(int64_t task_id);
  void CancelOtherAttempt(TaskSet& set, int index, int64_t task_id);
  // False: there is none.
  bool LeaveToOtherAttempt(const Running& running, int64_t task_id);

  void ReleaseSlot(const Running& running);
  void Apply(const Running& running, proto::TaskStatus status);
  void Discard(const Running& running, int64_t task_id);
  void Failed(const Running& running, int64_t task_id, const absl::Status& reason);
  void PlanMissed(const Running& running, int64_t task_id);
  void PeerMissed(const Running& running, int64_t task_id, const absl::Status& reason);

  Env& env_;
  WorkerRegistry& workers_;
  const TaskOptions options_;
  WorkerExclusion exclusion_;
  SchedulingPools pools_;
  int64_t last_task_id_;

  absl::flat_hash_map<int64_t, Running> running_;  // By task id.
  std::vector<std::shared_ptr<TaskSet>> ahead_;    // Sets to launch ahead at the next Dispatch.
  std::vector<int64_t> freed_workers_;             // May take something at the next Dispatch.
  std::vector<WantedAttempt> wanted_attempts_;     // Second ones.
  bool offer_to_all_ = false;
  size_t first_offered_ = 0;  // Spreads successive sets over the workers.
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_TASK_TASK_SCHEDULER_H_
