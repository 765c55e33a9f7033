// Second attempts at slow tasks.
#include <algorithm>

#include "driver/task/task_scheduler.h"
#include "glog/logging.h"

namespace millrace::internal {

void TaskScheduler::NoteRunTime(const Running& running) {
  TaskSet& set = *running.set;
  const int64_t micros = env_.MonotonicMicros() - running.launched_micros;
  if (!set.slow_tasks_.TaskEnded(micros, set.tasks_.size(), options_.speculation)) return;
  for (int i = 0; i < static_cast<int>(set.tasks_.size()); ++i) {
    if (set.task(i).state != TaskState::kDone) set.unfinished_.push_back(i);
  }
  SetSlowTimer(set);
}

void TaskScheduler::SetSlowTimer(TaskSet& set) {
  if (set.unfinished_.empty() || set.slow_timer_set_) return;
  set.slow_timer_set_ = true;
  env_.After(options_.speculation.interval.count(), [this, weak = set.weak_from_this()] {
    const std::shared_ptr<TaskSet> live = weak.lock();
    if (live == nullptr || live->cancelled_) return;
    live->slow_timer_set_ = false;
    LookForSlowTasks(*live);
    SetSlowTimer(*live);
    Dispatch();
  });
}

void TaskScheduler::LookForSlowTasks(TaskSet& set) {
  const int64_t now = env_.MonotonicMicros();
  std::erase_if(set.unfinished_, [&set](int i) { return set.task(i).state == TaskState::kDone; });
  for (const int index : set.unfinished_) {
    if (!IsSlow(set, index, now)) continue;
    set.second_attempts_[index] = 0;
    const TaskPlacement placement = set.PlacementOf(index);
    const bool is_bound =
        placement.is_mandatory && !placement.can_fetch && placement.workers.size() < 2;
    if (is_bound) continue;
    wanted_attempts_.push_back({set.weak_from_this(), index, set.task(index).running_id});
    offer_to_all_ = true;
  }
}

bool TaskScheduler::IsSlow(TaskSet& set, int index, int64_t now_micros) const {
  const Task& task = set.task(index);
  if (task.state != TaskState::kRunning || set.second_attempts_.contains(index)) return false;
  const Running& running = running_.at(task.running_id);
  return !running.is_ahead && workers_.count() > 1 &&
         now_micros - running.launched_micros >= set.slow_tasks_.limit_micros();
}

// A slot that nothing else has taken.
void TaskScheduler::OfferSecondAttempts(Worker& worker) {
  if (!worker.is_usable || worker.free_slots <= 0) return;
  std::erase_if(wanted_attempts_, [&](const WantedAttempt& wanted) {
    if (!IsStillWanted(wanted)) return true;
    const std::shared_ptr<TaskSet> set = wanted.set.lock();
    if (worker.free_slots <= 0 || !MayRunBeside(*set, wanted.index, worker)) return false;
    VLOG(1) << set->DescribeTask(wanted.index) << " is slow on worker "
            << running_.at(wanted.first_id).worker_id << " and runs on worker " << worker.id
            << " too";
    set->second_attempts_[wanted.index] = LaunchAttempt(*set, wanted.index, worker);
    return true;
  });
}

bool TaskScheduler::IsStillWanted(const WantedAttempt& wanted) const {
  const std::shared_ptr<TaskSet> set = wanted.set.lock();
  if (set == nullptr || set->cancelled_) return false;
  const Task& task = set->task(wanted.index);
  return task.state == TaskState::kRunning && task.running_id == wanted.first_id;
}

bool TaskScheduler::MayRunBeside(TaskSet& set, int index, const Worker& worker) const {
  if (running_.at(set.task(index).running_id).worker_id == worker.id) return false;
  const TaskPlacement placement = set.PlacementOf(index);
  const auto& workers = placement.workers;
  return !placement.is_mandatory || placement.can_fetch ||
         std::find(workers.begin(), workers.end(), worker.id) != workers.end();
}

// 0: it does not run.
int64_t TaskScheduler::SecondAttemptAt(const TaskSet& set, int index) const {
  if (set.second_attempts_.empty()) return 0;
  const auto second = set.second_attempts_.find(index);
  return second == set.second_attempts_.end() ? 0 : second->second;
}

void TaskScheduler::CancelAttempt(int64_t task_id) {
  proto::ToWorker message;
  message.mutable_cancel_task()->set_task_id(task_id);
  workers_.Send(running_.at(task_id).worker_id, std::move(message));
}

// The task is done. What the other attempt reports still frees its slot, and no more.
void TaskScheduler::CancelOtherAttempt(TaskSet& set, int index, int64_t task_id) {
  const int64_t second = SecondAttemptAt(set, index);
  if (second == 0) return;
  CancelAttempt(second == task_id ? set.task(index).running_id : second);
  set.second_attempts_.erase(index);
}

// An attempt has ended without success. If there is another one, the task goes on with that, and
// gets no third one.
bool TaskScheduler::LeaveToOtherAttempt(const Running& running, int64_t task_id) {
  TaskSet& set = *running.set;
  const int64_t second = SecondAttemptAt(set, running.index);
  if (second == 0) return false;
  Task& task = set.task(running.index);
  if (task.running_id == task_id) task.running_id = second;
  set.second_attempts_[running.index] = 0;
  return true;
}

}  // namespace millrace::internal
