#include "executor/service/worker_core.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/epoch_ids.h"
#include "common/base/mistake.h"
#include "executor/service/valid_utf8.h"

namespace millrace::internal {

WorkerCore::WorkerCore(WorkerOptions options, const Parts& parts)
    : options_(std::move(options)),
      env_(parts.env),
      transport_(parts.transport),
      services_(parts.services),
      disk_(parts.disk),
      memory_(parts.memory),
      receivers_(parts.receivers),
      runner_(parts.services),
      free_slots_(std::max(1, options_.task_slots)) {
  receivers_.SetListener(this);
}

void WorkerCore::Start(const std::vector<proto::StoredBlock>& copies) {
  is_connected_ = true;
  proto::ToDriver message;
  proto::WorkerHello& hello = *message.mutable_hello();
  hello.set_host(options_.host);
  hello.set_task_slots(static_cast<uint32_t>(std::max(1, options_.task_slots)));
  hello.set_binary_digest(options_.binary_digest);
  hello.set_application_id(options_.application_id);
  hello.set_peer_address(options_.peer_address);
  hello.set_driver_epoch(driver_epoch_);
  for (const auto& [id, block] : received_) *hello.add_blocks() = block;
  for (const proto::StoredBlock& copy : copies) *hello.add_blocks() = copy;
  for (proto::RunningReceiver& receiver : receivers_.Running()) {
    *hello.add_receivers() = std::move(receiver);
  }
  Send(std::move(message));
  // Again, to a driver that was lost: one heart beats.
  env_.Cancel(heartbeat_timer_);
  if (options_.heartbeat_interval_micros > 0) SendHeartbeats();
}

bool WorkerCore::Hears(const proto::ToWorker& message) {
  const bool is_late = message.driver_epoch() < driver_epoch_;
  if (is_late && !IsMade(Mistake::kEpochUnchecked)) return false;
  const int64_t epoch_before = std::exchange(driver_epoch_, message.driver_epoch());
  if (epoch_before != 0 && epoch_before != driver_epoch_) ForgetDriver();
  return true;
}

// Nobody waits for the tasks any more, and nobody would drop what the driver before had here.
void WorkerCore::ForgetDriver() {
  const int64_t first_id = FirstIdOfEpoch(driver_epoch_);
  std::vector<int64_t> task_ids;
  for (auto& [id, task] : tasks_) {
    task->is_forgotten = true;
    task->dropped_rdds.insert(task->dropped_rdds.end(), task->written_rdds.begin(),
                              task->written_rdds.end());
    task->state_dropped = task->updated_state != kNoId;
    task_ids.push_back(id);
  }
  for (const int64_t id : task_ids) CancelTask(id);
  services_.states.AbortBelow(first_id, [this](int64_t id) { return tasks_.contains(id); });
  services_.states.DropBelow(first_id);
  services_.blocks.DropRddsBelow(first_id);
  services_.blocks.TakeDropped();
  services_.shuffles.DropBelow(first_id);
  broadcasts_.clear();
  RemoveDiscardedFiles();
}

void WorkerCore::Handle(proto::ToWorker message) {
  if (!Hears(message)) return;
  switch (message.kind_case()) {
    case proto::ToWorker::kRegisterPlan:
      return plans_.Register(message.register_plan().plan_digest(), message.register_plan().plan());
    case proto::ToWorker::kLaunchTasks:
      for (proto::TaskRequest& request : *message.mutable_launch_tasks()->mutable_tasks()) {
        Launch(std::move(request));
      }
      return StartRunnable();
    case proto::ToWorker::kCancelTask:
      return CancelTask(message.cancel_task().task_id());
    case proto::ToWorker::kCommitTask:
      return CommitTask(message.commit_task());
    case proto::ToWorker::kDropShuffle:
      return DropShuffle(message.drop_shuffle().shuffle_id());
    case proto::ToWorker::kDropRdd:
      return DropRdd(message.drop_rdd().rdd_id());
    case proto::ToWorker::kDropBlocks:
      return DropBlocks(message.drop_blocks());
    case proto::ToWorker::kDropState:
      return DropState(message.drop_state().state_id());
    case proto::ToWorker::kStartReceiver:
      if (!stopped_) receivers_.Start(message.start_receiver());
      return;
    case proto::ToWorker::kStopReceiver:
      return receivers_.Stop(message.stop_receiver().stream_id(), message.stop_receiver().reason());
    case proto::ToWorker::kUpdateRate:
      return receivers_.UpdateRate(message.update_rate());
    case proto::ToWorker::kCutBlocks:
      return receivers_.CutBlocks(message.cut_blocks().batch_time_ms());
    case proto::ToWorker::kPutBroadcast:
      broadcasts_[message.put_broadcast().broadcast_id()] = std::make_shared<const std::string>(
          std::move(*message.mutable_put_broadcast()->mutable_value()));
      return;
    case proto::ToWorker::kDropBroadcast:
      broadcasts_.erase(message.drop_broadcast().broadcast_id());
      return;
    case proto::ToWorker::kPeers:       // For whoever connects the worker.
    case proto::ToWorker::kCopyBlocks:  // The same.
    case proto::ToWorker::kShutdown:    // For whoever runs it.
    case proto::ToWorker::KIND_NOT_SET:
      return;
  }
}

void WorkerCore::Stop() {
  stopped_ = true;
  std::vector<int64_t> task_ids;
  task_ids.reserve(tasks_.size());
  for (const auto& [id, task] : tasks_) task_ids.push_back(id);
  for (const int64_t id : task_ids) CancelTask(id);
}

// ---------------------------------------------------------------------------------------------
// Tasks.

void WorkerCore::Launch(proto::TaskRequest request) {
  const int64_t task_id = request.task_id();
  if (tasks_.contains(task_id) || finished_.Contains(task_id)) return;
  Task& task = *tasks_.emplace(task_id, std::make_unique<Task>()).first->second;
  task.request = std::move(request);
  task.arrived_micros = env_.MonotonicMicros();
  if (stopped_) {
    return Refuse(task_id, proto::TaskStatus::CANCELLED,
                  absl::CancelledError("the worker is stopping"));
  }
  const uint64_t digest = task.request.plan_digest();
  const StagePlanCache::PlanOrError* const plan = plans_.Find(digest);
  if (plan == nullptr) {
    return Refuse(task_id, proto::TaskStatus::PLAN_MISS,
                  absl::NotFoundError(
                      absl::StrCat("the plan ", absl::Hex(digest), " is not on this worker")));
  }
  if (!plan->ok()) return Refuse(task_id, proto::TaskStatus::FAILED, plan->status());
  task.plan = **plan;
  const absl::Status taken = TakeBroadcasts(task);
  if (!taken.ok()) return Refuse(task_id, proto::TaskStatus::FAILED, taken);
  NoteOutputs(task);
  ExpectInputs(task);
  if (task.missing_inputs == 0) runnable_.push_back(task_id);
}

absl::Status WorkerCore::TakeBroadcasts(Task& task) {
  for (const int64_t id : task.request.broadcast_ids()) {
    const auto found = broadcasts_.find(id);
    if (found == broadcasts_.end()) {
      return absl::NotFoundError(
          absl::StrCat("the broadcast value ", id, " is not on this worker"));
    }
    task.broadcasts.emplace_back(id, found->second);
  }
  return absl::OkStatus();
}

void WorkerCore::NoteOutputs(Task& task) {
  for (const proto::Binding& binding : task.request.bindings()) {
    if (binding.has_cached()) {
      task.written_rdds.push_back(binding.cached().rdd_id());
    } else if (binding.has_state()) {
      task.written_rdds.push_back(binding.state().rdd_id());
      task.updated_state = binding.state().state_id();
    }
  }
}

void WorkerCore::ExpectInputs(Task& task) {
  for (const proto::Binding& binding : task.request.bindings()) {
    if (!binding.has_shuffle()) continue;
    const proto::ShuffleBinding& shuffle = binding.shuffle();
    if (shuffle.holder() != 0) continue;  // All there, on another worker.
    const ReduceKey key{shuffle.shuffle_id(), shuffle.reduce_partition()};
    if (services_.shuffles.ReadyOrExpect(key, shuffle.map_count())) continue;
    ++task.missing_inputs;
    waiting_[key.shuffle_id][key.partition].push_back(task.request.task_id());
  }
}

void WorkerCore::OnMapOutputsArrived() {
  TakeReadyInputs();
  StartRunnable();
}

void WorkerCore::TakeReadyInputs() {
  for (const ReduceKey& key : services_.shuffles.TakeReady()) {
    const auto shuffle = waiting_.find(key.shuffle_id);
    if (shuffle == waiting_.end()) continue;
    const auto waiting = shuffle->second.find(key.partition);
    if (waiting == shuffle->second.end()) continue;
    for (const int64_t task_id : waiting->second) {
      const auto task = tasks_.find(task_id);
      if (task != tasks_.end() && --task->second->missing_inputs == 0) runnable_.push_back(task_id);
    }
    shuffle->second.erase(waiting);
    if (shuffle->second.empty()) waiting_.erase(shuffle);
  }
}

void WorkerCore::StartRunnable() {
  while (free_slots_ > 0 && !runnable_.empty()) {
    const auto task = tasks_.find(runnable_.front());
    runnable_.pop_front();
    if (task != tasks_.end()) Run(*task->second);
  }
}

void WorkerCore::Run(Task& task) {
  --free_slots_;
  task.running = true;
  task.status.set_wait_micros(env_.MonotonicMicros() - task.arrived_micros);
  const int64_t task_id = task.request.task_id();
  // Both closures fit into their holders without an allocation.
  env_.RunTask([this, &task] { runner_.Run(task); }, [this, task_id] { OnTaskDone(task_id); });
}

void WorkerCore::OnTaskDone(int64_t task_id) {
  Task& task = *tasks_.at(task_id);
  task.running = false;
  ++free_slots_;
  // First whatever waits for a thread, then what only has to be said.
  TakeReadyInputs();
  StartRunnable();
  if (task.output != nullptr) return AwaitAcknowledgements(task);
  End(task_id);
}

void WorkerCore::AwaitAcknowledgements(Task& task) {
  const int64_t task_id = task.request.task_id();
  const auto timeout = std::chrono::microseconds(services_.map_outputs.options().timeout);
  task.acknowledgement_timer = env_.After(timeout.count(), [this, task_id] {
    OnAcknowledged(task_id, absl::UnavailableError(
                                "a worker that was sent map outputs has not acknowledged them"));
  });
  task.output->WhenAcknowledged([&env = env_, this, task_id](const absl::Status& status) {
    env.PostAndRun([this, task_id, status] { OnAcknowledged(task_id, status); });
  });
}

void WorkerCore::OnAcknowledged(int64_t task_id, const absl::Status& status) {
  const auto found = tasks_.find(task_id);
  if (found == tasks_.end()) return;  // It was cancelled, or the time was up.
  Task& task = *found->second;
  env_.Cancel(task.acknowledgement_timer);
  if (!status.ok()) {
    services_.states.Abort(task_id);
    task.status.clear_result();
    SetFailure(status, task.status);
    if (absl::IsUnavailable(status)) task.status.set_outcome(proto::TaskStatus::PEER_MISS);
    if (absl::IsCancelled(status)) task.status.set_outcome(proto::TaskStatus::CANCELLED);
  }
  End(task_id);
}

void WorkerCore::End(int64_t task_id) {
  const auto it = tasks_.find(task_id);
  const std::unique_ptr<Task> task = std::move(it->second);
  tasks_.erase(it);
  if (task->is_forgotten) services_.states.Abort(task_id);
  DropAgain(*task);
  if (!task->is_forgotten) SendStatus(std::move(task->status));
  SendDroppedPartitions();
}

void WorkerCore::Refuse(int64_t task_id, proto::TaskStatus::Outcome outcome,
                        const absl::Status& error) {
  const auto task = tasks_.extract(task_id);
  if (task.mapped()->is_forgotten) return;
  proto::TaskStatus status;
  status.set_task_id(task_id);
  SetFailure(error, status);
  status.set_outcome(outcome);
  SendStatus(std::move(status));
}

void WorkerCore::LimitStatus(proto::TaskStatus& status) {
  const size_t bytes = status.ByteSizeLong();
  if (options_.status_bytes_max == 0 || bytes <= options_.status_bytes_max) return;
  services_.states.Abort(status.task_id());
  status.clear_result();
  SetFailure(absl::ResourceExhaustedError(absl::StrCat(
                 "the task's result of ", bytes >> 20, " MiB is larger than the ",
                 options_.status_bytes_max >> 20,
                 " MiB that can be sent to the driver: use more partitions, or let the workers "
                 "write it")),
             status);
}

void WorkerCore::SendStatus(proto::TaskStatus status) {
  finished_.Add(status.task_id());
  LimitStatus(status);
  status.set_error_message(ValidUtf8(std::move(*status.mutable_error_message())));
  proto::ToDriver message;
  *message.mutable_task_status() = std::move(status);
  Send(std::move(message));
}

void WorkerCore::CancelTask(int64_t task_id) {
  const auto it = tasks_.find(task_id);
  if (it == tasks_.end()) return;
  if (it->second->running) {
    it->second->cancelled.store(true, std::memory_order_relaxed);
  } else if (it->second->output != nullptr) {
    OnAcknowledged(task_id, absl::CancelledError("cancelled before its outputs were acknowledged"));
  } else {
    Refuse(task_id, proto::TaskStatus::CANCELLED, absl::CancelledError("cancelled before it ran"));
  }
}

void WorkerCore::CommitTask(const proto::CommitTask& commit) {
  if (tasks_.contains(commit.task_id())) {
    // It has not ended, so there is nothing to commit; an abort means that it is not wanted.
    if (commit.abort()) CancelTask(commit.task_id());
  } else if (commit.abort() && !IsMade(Mistake::kAbortedStateCommitted)) {
    if (IsMade(Mistake::kAbortedStateHeld)) return;
    services_.states.Abort(commit.task_id());
  } else {
    services_.states.Commit(commit.task_id());
  }
}

// ---------------------------------------------------------------------------------------------
// Clean-up.

void WorkerCore::DropShuffle(int64_t shuffle_id) {
  services_.shuffles.Drop(shuffle_id);
  const auto waiting = waiting_.find(shuffle_id);
  if (waiting != waiting_.end()) {
    const auto by_partition = std::move(waiting->second);
    waiting_.erase(waiting);
    for (const auto& [partition, task_ids] : by_partition) {
      for (const int64_t task_id : task_ids) CancelTask(task_id);
    }
  }
  RemoveDiscardedFiles();
}

void WorkerCore::DropRdd(int64_t rdd_id) {
  services_.blocks.DropRdd(rdd_id);
  for (const auto& [id, task] : tasks_) {
    const auto& written = task->written_rdds;
    if (std::find(written.begin(), written.end(), rdd_id) != written.end()) {
      task->dropped_rdds.push_back(rdd_id);
    }
  }
  RemoveDiscardedFiles();
}

void WorkerCore::DropBlocks(const proto::DropBlocks& drop) {
  for (const proto::BlockId& id : drop.blocks()) {
    received_.erase({id.stream_id(), id.sequence()});
    services_.blocks.Drop(StoreKey::Block(id.stream_id(), id.sequence()));
  }
  RemoveDiscardedFiles();
}

void WorkerCore::DropState(int64_t state_id) {
  services_.states.Drop(state_id);
  for (const auto& [id, task] : tasks_) {
    if (task->updated_state == state_id) task->state_dropped = true;
  }
}

void WorkerCore::DropAgain(const Task& task) {
  for (const int64_t rdd_id : task.dropped_rdds) services_.blocks.DropRdd(rdd_id);
  if (task.state_dropped) services_.states.Drop(task.updated_state);
}

void WorkerCore::RemoveDiscardedFiles() {
  // Deleting may wait for the disk.
  if (disk_.has_discarded()) env_.RunTask([this] { disk_.RemoveDiscarded(); }, [] {});
}

// ---------------------------------------------------------------------------------------------
// Saying things to the driver.

void WorkerCore::OnBlockReport(proto::BlockReport report) {
  for (const proto::StoredBlock& block : report.blocks()) {
    proto::StoredBlock& kept = received_[{block.id().stream_id(), block.id().sequence()}];
    kept = block;
    kept.clear_replica();  // The worker that has the copy says so itself.
  }
  proto::ToDriver message;
  *message.mutable_block_report() = std::move(report);
  Send(std::move(message));
  SendDroppedPartitions();
}

void WorkerCore::NoteCopies(const proto::BlocksCopied& copied) {
  for (const proto::BlockId& id : copied.blocks()) {
    proto::StoredBlock block;
    *block.mutable_id() = id;
    block.set_record_count(-1);
    received_.try_emplace({id.stream_id(), id.sequence()}, std::move(block));
  }
}

void WorkerCore::OnReceiverEvent(proto::ReceiverEvent event) {
  event.set_message(ValidUtf8(std::move(*event.mutable_message())));
  event.set_error(ValidUtf8(std::move(*event.mutable_error())));
  proto::ToDriver message;
  *message.mutable_receiver_event() = std::move(event);
  Send(std::move(message));
}

void WorkerCore::SendDroppedPartitions() {
  const auto dropped = services_.blocks.TakeDropped();
  if (dropped.empty()) return;
  proto::ToDriver message;
  for (const auto& [key, level] : dropped) {
    proto::CachedBinding& partition = *message.mutable_cached_dropped()->add_partitions();
    partition.set_rdd_id(key.id);
    partition.set_partition(static_cast<uint32_t>(key.index));
    partition.set_storage_level(static_cast<uint32_t>(level));
  }
  Send(std::move(message));
}

void WorkerCore::SendHeartbeats() {
  if (stopped_) return;
  proto::ToDriver message;
  proto::WorkerHeartbeat& heartbeat = *message.mutable_heartbeat();
  heartbeat.set_memory_used_bytes(static_cast<int64_t>(memory_.used_bytes()));
  heartbeat.set_memory_limit_bytes(static_cast<int64_t>(memory_.limit_bytes()));
  for (const auto& [id, task] : tasks_) {
    if (task->running) heartbeat.add_running_task_ids(id);
  }
  Send(std::move(message));
  heartbeat_timer_ = env_.After(options_.heartbeat_interval_micros, [this] { SendHeartbeats(); });
}

void WorkerCore::Send(proto::ToDriver message) {
  if (!is_connected_) return;
  message.set_worker_id(options_.worker_id);
  transport_.SendToDriver(std::move(message));
}

}  // namespace millrace::internal
