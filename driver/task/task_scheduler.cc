#include "driver/task/task_scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/base/mistake.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// Tasks that wait on one worker for their inputs: a bound on what a huge shuffle piles up there.
constexpr int kTasksAheadMax = 4096;
// Digests remembered of one worker; over it all are forgotten and plans are registered anew.
constexpr size_t kKnownPlansMax = 4096;
constexpr int kPlanMissesMax = 8;
// As long as it takes until a worker that does not answer is known to be lost, and more.
constexpr int kPeerMissesMax = 200;
constexpr int64_t kPeerMissDelayMicros = 100'000;

absl::Status ReasonOf(const proto::TaskStatus& status) {
  if (status.outcome() == proto::TaskStatus::CANCELLED) {
    return absl::AbortedError("the worker gave the task up");
  }
  const bool has_code = status.error_code() > 0 && status.error_code() <= 16;
  const auto code =
      has_code ? static_cast<absl::StatusCode>(status.error_code()) : absl::StatusCode::kUnknown;
  return absl::Status(code, status.error_message());
}

}  // namespace

TaskScheduler::TaskScheduler(Env& env, WorkerRegistry& workers, TaskOptions options,
                             int64_t first_task_id)
    : env_(env),
      workers_(workers),
      options_(std::move(options)),
      exclusion_(env_, workers_, options_.exclusion,
                 [this] {
                   offer_to_all_ = true;
                   env_.Post([this] { Dispatch(); });
                 }),
      pools_(options_.pools),
      last_task_id_(first_task_id) {}

// ---------------------------------------------------------------------------------------------
// Sets.

void TaskScheduler::Submit(TaskSet& set, bool inputs_ready) {
  set.inputs_ready_ = inputs_ready;
  for (int i = 0; i < static_cast<int>(set.tasks_.size()); ++i) Enqueue(set, i);
  if (!inputs_ready) {
    ahead_.push_back(set.shared_from_this());
  } else if (set.pending_count_ > 0) {
    pools_.Add(set);
  }
}

void TaskScheduler::InputsReady(TaskSet& set) {
  if (set.inputs_ready_ || set.cancelled_) return;
  set.inputs_ready_ = true;
  if (set.holds_split_) PlaceAgain(set);
  for (const auto& retry : std::exchange(set.early_retries_, {})) {
    EnqueueRetry(set, retry.index, retry.failed_on);
  }
  if (set.pending_count_ > 0) pools_.Add(set);
  offer_to_all_ = true;
  for (const Task& task : set.tasks_) {
    if (task.state != TaskState::kRunning) continue;
    Running& running = running_.at(task.running_id);
    Worker* const worker = workers_.Find(running.worker_id);
    if (!running.is_ahead || worker == nullptr) continue;
    running.is_ahead = false;
    if (options_.speculation.is_enabled) running.launched_micros = env_.MonotonicMicros();
    --worker->tasks_ahead;
    --worker->free_slots;
  }
}

void TaskScheduler::Requeue(TaskSet& set, int index) {
  if (set.cancelled_) return;
  Enqueue(set, index);
  if (set.inputs_ready_) {
    pools_.Add(set);
  } else {
    ahead_.push_back(set.shared_from_this());
  }
}

void TaskScheduler::Cancel(TaskSet& set) {
  if (set.cancelled_) return;
  set.cancelled_ = true;
  pools_.Remove(set);
  for (const Task& task : set.tasks_) {
    if (task.state == TaskState::kRunning) CancelAttempt(task.running_id);
  }
  for (const auto& [index, task_id] : set.second_attempts_) {
    if (task_id != 0) CancelAttempt(task_id);
  }
  if (set.running_count_ == 0) set.Drained();
}

void TaskScheduler::Judge(const TaskAttempt& attempt, bool commit) {
  proto::ToWorker message;
  message.mutable_commit_task()->set_task_id(attempt.task_id);
  message.mutable_commit_task()->set_abort(!commit);
  workers_.Send(attempt.worker_id, std::move(message));
}

// ---------------------------------------------------------------------------------------------
// Waiting tasks.

void TaskScheduler::MarkPending(TaskSet& set, int index) {
  set.task(index).state = TaskState::kPending;
  ++set.pending_count_;
  offer_to_all_ = true;
}

void TaskScheduler::Enqueue(TaskSet& set, int index) {
  MarkPending(set, index);
  FindPlace(set, index);
}

void TaskScheduler::PlaceAgain(TaskSet& set) {
  if (set.pending_count_ == 0) return;
  set.pending_ = PendingTasks();
  set.holds_split_ = false;
  for (int i = 0; i < static_cast<int>(set.tasks_.size()); ++i) {
    if (set.task(i).state == TaskState::kPending) FindPlace(set, i);
  }
}

void TaskScheduler::FindPlace(TaskSet& set, int index) {
  if (workers_.count() <= 1) return set.pending_.AddAnywhere(index);
  const TaskPlacement placement = UsablePlacement(set, index);
  if (placement.is_split && !set.inputs_ready_) {
    set.holds_split_ = true;
    return;
  }
  if (placement.workers.empty()) return set.pending_.AddAnywhere(index);
  set.pending_.AddFor(absl::MakeConstSpan(placement.workers), index);
  if (!placement.is_mandatory) SetRelaxTimer(set);
}

// Without workers that are to be spared, unless the task can run nowhere else.
TaskPlacement TaskScheduler::UsablePlacement(TaskSet& set, int index) const {
  TaskPlacement placement = set.PlacementOf(index);
  if (workers_.all_usable()) return placement;
  const auto is_spared = [this](int64_t id) {
    const Worker* const worker = workers_.Find(id);
    return worker != nullptr && !worker->is_usable;
  };
  auto& workers = placement.workers;
  const auto usable_end = std::remove_if(workers.begin(), workers.end(), is_spared);
  if (usable_end != workers.begin()) {
    workers.erase(usable_end, workers.end());
  } else if (!placement.is_mandatory || (placement.can_fetch && set.inputs_ready_)) {
    return {};
  }
  return placement;
}

// A task that has failed goes to another worker if one can run it. Its inputs are fetched from
// where they are if need be: that costs less than a job.
void TaskScheduler::EnqueueRetry(TaskSet& set, int index, int64_t failed_on) {
  if (workers_.count() <= 1) return Requeue(set, index);
  const TaskPlacement placement = set.PlacementOf(index);
  if (placement.is_mandatory && !placement.can_fetch) return Requeue(set, index);
  // It had all its inputs, but the driver does not know that yet.
  if (placement.is_mandatory && !set.inputs_ready_) {
    set.early_retries_.push_back({index, failed_on});
    return;
  }
  MarkPending(set, index);
  set.pending_.AddRetry(index, failed_on);
  SetRetryTimer(set);
  if (set.inputs_ready_) {
    pools_.Add(set);
  } else {
    ahead_.push_back(set.shared_from_this());
  }
}

void TaskScheduler::SetRelaxTimer(TaskSet& set) {
  if (set.relax_timer_set_) return;
  set.relax_timer_set_ = true;
  env_.After(options_.locality_wait.count(), [this, weak = set.weak_from_this()] {
    const std::shared_ptr<TaskSet> live = weak.lock();
    if (live == nullptr || live->cancelled_) return;
    Relax(*live);
    Dispatch();
  });
}

void TaskScheduler::SetRetryTimer(TaskSet& set) {
  if (set.retry_timer_set_) return;
  set.retry_timer_set_ = true;
  env_.After(options_.retry_wait.count(), [this, weak = set.weak_from_this()] {
    const std::shared_ptr<TaskSet> live = weak.lock();
    if (live == nullptr || live->cancelled_) return;
    live->retry_timer_set_ = false;
    live->pending_.RelaxRetries();
    offer_to_all_ = true;
    Dispatch();
  });
}

// Whatever waits for a worker that it only prefers may run on any from now on.
void TaskScheduler::Relax(TaskSet& set) {
  set.relax_timer_set_ = false;
  if (set.pending_count_ == 0) return;
  for (int i = 0; i < static_cast<int>(set.tasks_.size()); ++i) {
    if (set.task(i).state != TaskState::kPending) continue;
    if (!set.PlacementOf(i).is_mandatory) set.pending_.AddAnywhere(i);
  }
  offer_to_all_ = true;
}

// ---------------------------------------------------------------------------------------------
// Launching.

void TaskScheduler::Dispatch() {
  for (const auto& set : std::exchange(ahead_, {})) LaunchAhead(*set);
  if (!offer_to_all_) {
    for (const int64_t id : freed_workers_) {
      Worker* const worker = workers_.Find(id);
      if (worker == nullptr) continue;
      OfferSlots(*worker);
      if (!wanted_attempts_.empty()) OfferSecondAttempts(*worker);
      SendLaunches(*worker);
    }
  }
  freed_workers_.clear();
  if (!offer_to_all_) return;
  // Once more when tasks have left an excluded worker for others.
  while (std::exchange(offer_to_all_, false)) OfferSlotsToAll();
  for (const auto& worker : workers_.all()) {
    if (!wanted_attempts_.empty()) OfferSecondAttempts(*worker);
    SendLaunches(*worker);
  }
}

void TaskScheduler::OfferSlots(Worker& worker) {
  while (OfferOne(worker)) {
  }
}

// One slot a worker in turn, so that a set that fits everywhere spreads.
void TaskScheduler::OfferSlotsToAll() {
  const auto& workers = workers_.all();
  if (workers.empty() || pools_.empty()) return;
  first_offered_ = (first_offered_ + 1) % workers.size();
  std::vector<Worker*> takers;
  for (size_t i = 0; i < workers.size(); ++i) {
    takers.push_back(workers[(first_offered_ + i) % workers.size()].get());
  }
  while (!takers.empty()) {
    std::erase_if(takers, [this](Worker* worker) { return !OfferOne(*worker); });
  }
}

bool TaskScheduler::OfferOne(Worker& worker) {
  if (worker.free_slots <= 0 || pools_.empty()) return false;
  return pools_.OfferSlot([&](TaskSet& set) { return LaunchFrom(set, worker); });
}

bool TaskScheduler::LaunchFrom(TaskSet& set, Worker& worker) {
  const int index = TakeFor(set, worker);
  if (index < 0) return false;
  Launch(set, index, worker);
  if (set.pending_count_ == 0) pools_.Remove(set);
  return true;
}

int TaskScheduler::TakeFor(TaskSet& set, const Worker& worker) {
  const auto is_pending = [&set](int i) { return set.task(i).state == TaskState::kPending; };
  if (worker.is_usable) return set.pending_.Take(worker.id, is_pending);
  std::vector<int> movable;  // They were placed before the worker was to be spared.
  const int taken = set.pending_.TakeOwn(worker.id, [&](int i) {
    if (!is_pending(i)) return false;
    if (MustRunOn(set, i, worker.id)) return true;
    movable.push_back(i);
    return false;
  });
  for (const int index : movable) FindPlace(set, index);
  if (!movable.empty()) offer_to_all_ = true;
  if (taken >= 0 || workers_.usable().size() > 1) return taken;
  // What has failed on the only usable one may do better here.
  return set.pending_.TakeAvoiding(workers_.usable()[0]->id, is_pending);
}

bool TaskScheduler::MustRunOn(TaskSet& set, int index, int64_t worker_id) const {
  const TaskPlacement placement = UsablePlacement(set, index);
  const auto& workers = placement.workers;
  return placement.is_mandatory &&
         std::find(workers.begin(), workers.end(), worker_id) != workers.end();
}

void TaskScheduler::LaunchAhead(TaskSet& set) {
  if (set.inputs_ready_ || set.cancelled_) return;
  for (const auto& worker : workers_.all()) {
    while (set.pending_count_ > 0 && worker->tasks_ahead < kTasksAheadMax) {
      const int index = TakeFor(set, *worker);
      if (index < 0) break;
      Launch(set, index, *worker);
    }
  }
  offer_to_all_ = true;
}

void TaskScheduler::Launch(TaskSet& set, int index, Worker& worker) {
  Task& task = set.task(index);
  task.state = TaskState::kRunning;
  --set.pending_count_;
  if (!set.second_attempts_.empty()) set.second_attempts_.erase(index);
  task.running_id = LaunchAttempt(set, index, worker);
}

int64_t TaskScheduler::LaunchAttempt(TaskSet& set, int index, Worker& worker) {
  const int64_t task_id = ++last_task_id_;
  proto::TaskRequest& request = *worker.launches.mutable_launch_tasks()->add_tasks();
  request.set_task_id(task_id);
  request.set_attempt(set.task(index).attempts++);
  const Plan& plan = set.FillRequest(index, worker.id, request);
  request.set_plan_digest(plan.digest);
  RegisterPlan(plan, worker);

  pools_.TaskLaunched(set);
  const bool is_ahead = !set.inputs_ready_;
  if (is_ahead) {
    ++worker.tasks_ahead;
  } else {
    --worker.free_slots;
  }
  const int64_t now = options_.speculation.is_enabled ? env_.MonotonicMicros() : 0;
  running_.emplace(task_id, Running{set.shared_from_this(), index, worker.id, is_ahead, now});
  return task_id;
}

void TaskScheduler::RegisterPlan(const Plan& plan, Worker& worker) {
  if (worker.known_plans.contains(plan.digest)) return;
  if (worker.known_plans.size() >= kKnownPlansMax) worker.known_plans.clear();
  worker.known_plans.insert(plan.digest);
  proto::ToWorker message;
  message.mutable_register_plan()->set_plan_digest(plan.digest);
  message.mutable_register_plan()->set_plan(plan.bytes);
  workers_.Send(worker.id, std::move(message));
}

void TaskScheduler::SendLaunches(Worker& worker) {
  if (!worker.launches.has_launch_tasks()) return;
  workers_.Send(worker.id, std::exchange(worker.launches, proto::ToWorker()));
}

// ---------------------------------------------------------------------------------------------
// Outcomes.

void TaskScheduler::HandleStatus(proto::TaskStatus status) {
  const auto found = running_.find(status.task_id());
  if (found == running_.end()) return;
  const Running running = std::move(found->second);
  running_.erase(found);
  const bool has_failed = status.outcome() != proto::TaskStatus::SUCCEEDED;
  if (!has_failed || !IsMade(Mistake::kSlotsOfFailedTasksKept)) ReleaseSlot(running);
  if (running.set->cancelled_) return Discard(running, status.task_id());
  Apply(running, std::move(status));
}

void TaskScheduler::ReleaseSlot(const Running& running) {
  pools_.TaskEnded(*running.set);
  Worker* const worker = workers_.Find(running.worker_id);
  if (worker == nullptr) return;
  if (running.is_ahead) {
    --worker->tasks_ahead;
  } else {
    ++worker->free_slots;
  }
  freed_workers_.push_back(worker->id);
}

void TaskScheduler::Discard(const Running& running, int64_t task_id) {
  if (running.set->is_judged_) Judge({task_id, running.worker_id}, /*commit=*/false);
  if (running.set->running_count_ == 0) running.set->Drained();
}

void TaskScheduler::Apply(const Running& running, proto::TaskStatus status) {
  TaskSet& set = *running.set;
  const TaskAttempt attempt{status.task_id(), running.worker_id};
  const bool counts_twice =
      IsMade(Mistake::kSecondAttemptsCounted) && status.outcome() == proto::TaskStatus::SUCCEEDED;
  if (set.task(running.index).state == TaskState::kDone && !counts_twice) {
    // The other attempt was first.
    if (set.is_judged_) Judge(attempt, /*commit=*/false);
    return;
  }
  switch (status.outcome()) {
    case proto::TaskStatus::SUCCEEDED:
      set.task(running.index).state = TaskState::kDone;
      NoteSuccess(running);
      if (options_.speculation.is_enabled) NoteRunTime(running);
      CancelOtherAttempt(set, running.index, attempt.task_id);
      set.TaskSucceeded(running.index, attempt, std::move(status));
      return;
    case proto::TaskStatus::CACHE_MISS:
    case proto::TaskStatus::BLOCK_MISS:
      if (set.is_judged_) Judge(attempt, /*commit=*/false);
      if (LeaveToOtherAttempt(running, attempt.task_id)) return;
      set.task(running.index).state = TaskState::kWaiting;
      set.InputsLost(running.index, attempt, status);
      return;
    case proto::TaskStatus::PLAN_MISS:
      return PlanMissed(running, attempt.task_id);
    case proto::TaskStatus::PEER_MISS:
      return PeerMissed(running, attempt.task_id, ReasonOf(status));
    default:
      NoteFailure(running, ReasonOf(status));
      return Failed(running, attempt.task_id, ReasonOf(status));
  }
}

// It counts against the worker when the task has succeeded on another one.
void TaskScheduler::NoteFailure(const Running& running, const absl::Status& reason) {
  if (!exclusion_.is_enabled() || workers_.count() <= 1) return;
  if (workers_.Find(running.worker_id) == nullptr) return;
  running.set->failed_attempts_[running.index].push_back(
      {running.worker_id, std::string(reason.message())});
}

void TaskScheduler::NoteSuccess(const Running& running) {
  if (!exclusion_.is_enabled()) return;
  exclusion_.TaskSucceeded(running.worker_id);
  auto& failed_attempts = running.set->failed_attempts_;
  if (failed_attempts.empty()) return;
  const auto failed = failed_attempts.extract(running.index);
  if (failed.empty()) return;
  for (const auto& attempt : failed.mapped()) {
    if (attempt.worker_id == running.worker_id) continue;
    exclusion_.TaskFailed(attempt.worker_id, attempt.reason);
  }
}

void TaskScheduler::Failed(const Running& running, int64_t task_id, const absl::Status& reason) {
  TaskSet& set = *running.set;
  Task& task = set.task(running.index);
  const bool is_left = LeaveToOtherAttempt(running, task_id);
  if (!is_left) task.state = TaskState::kWaiting;
  if (set.is_judged_) Judge({task_id, running.worker_id}, /*commit=*/false);
  if (++task.failures < options_.max_failures) {
    LOG_EVERY_T(WARNING, 10) << set.DescribeTask(running.index) << " failed on worker "
                             << running.worker_id << " and is tried again: " << reason;
    if (is_left) return;
    return EnqueueRetry(set, running.index, running.worker_id);
  }
  const std::string times = task.failures == 1 ? "once" : absl::StrCat(task.failures, " times");
  set.TaskFailedForGood(
      running.index,
      absl::Status(reason.code(),
                   absl::StrCat(reason.message(), " (", set.DescribeTask(running.index), " failed ",
                                times, ", the last time on worker ", running.worker_id, ")")));
}

// The worker has forgotten the plan (or was told of it before it lost its memory): the next launch
// registers it again, at no cost to the task's own failures.
void TaskScheduler::PlanMissed(const Running& running, int64_t task_id) {
  TaskSet& set = *running.set;
  Task& task = set.task(running.index);
  if (++task.misses > kPlanMissesMax) {
    return Failed(running, task_id,
                  absl::InternalError(absl::StrCat("worker ", running.worker_id,
                                                   " does not keep the plans that it is sent")));
  }
  Worker* const worker = workers_.Find(running.worker_id);
  if (worker != nullptr) worker->known_plans.clear();
  if (LeaveToOtherAttempt(running, task_id)) return;
  task.state = TaskState::kWaiting;
  Requeue(set, running.index);
}

// A worker learns of another one's end from its connection, maybe before the driver does. The task
// is not to blame: it tries again a little later, unless its stage has begun anew by then.
void TaskScheduler::PeerMissed(const Running& running, int64_t task_id,
                               const absl::Status& reason) {
  TaskSet& set = *running.set;
  Task& task = set.task(running.index);
  if (++task.misses > kPeerMissesMax) return Failed(running, task_id, reason);
  LOG_EVERY_T(WARNING, 10) << set.DescribeTask(running.index) << " on worker " << running.worker_id
                           << " waits for another worker: " << reason << "; it is tried again";
  if (set.is_judged_) Judge({task_id, running.worker_id}, /*commit=*/false);
  if (LeaveToOtherAttempt(running, task_id)) return;
  task.state = TaskState::kWaiting;
  env_.After(kPeerMissDelayMicros, [this, weak = set.weak_from_this(), index = running.index] {
    const std::shared_ptr<TaskSet> live = weak.lock();
    if (live == nullptr || live->task(index).state != TaskState::kWaiting) return;
    Requeue(*live, index);
    Dispatch();
  });
}

void TaskScheduler::WorkerAdded(int64_t worker_id) {
  exclusion_.WorkerAdded();
  freed_workers_.push_back(worker_id);
  offer_to_all_ = true;
}

bool TaskScheduler::RunsOn(const TaskSet& set, int64_t worker_id) const {
  const auto is_there = [&](int64_t task_id) {
    return running_.at(task_id).worker_id == worker_id;
  };
  return std::any_of(set.tasks_.begin(), set.tasks_.end(),
                     [&](const Task& task) {
                       return task.state == TaskState::kRunning && is_there(task.running_id);
                     }) ||
         std::any_of(
             set.second_attempts_.begin(), set.second_attempts_.end(),
             [&](const auto& second) { return second.second != 0 && is_there(second.second); });
}

void TaskScheduler::WorkerLost(int64_t worker_id, const std::string& reason) {
  exclusion_.WorkerLost();
  if (IsMade(Mistake::kTasksOfLostWorkerForgotten)) return;
  std::vector<int64_t> lost;
  for (const auto& [task_id, running] : running_) {
    if (running.worker_id == worker_id) lost.push_back(task_id);
  }
  std::sort(lost.begin(), lost.end());  // The same order in every run.
  for (const int64_t task_id : lost) {
    proto::TaskStatus status;
    status.set_task_id(task_id);
    status.set_outcome(proto::TaskStatus::FAILED);
    status.set_error_code(static_cast<int>(absl::StatusCode::kUnavailable));
    status.set_error_message(absl::StrCat("worker ", worker_id, " was lost: ", reason));
    HandleStatus(std::move(status));
  }
}

}  // namespace millrace::internal
