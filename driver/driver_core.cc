#include "driver/driver_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/epoch_ids.h"
#include "common/base/mistake.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// Of the blocks of one streaming run.
constexpr int kSequenceBits = 48;

}  // namespace

DriverCore::DriverCore(Env& env, DriverTransport& transport, DriverOptions options)
    : env_(env),
      options_(std::move(options)),
      transport_(transport),
      workers_(transport, options_.epoch),
      data_(workers_),
      tasks_(env_, workers_, options_.tasks, FirstIdOfEpoch(options_.epoch)),
      dag_({workers_, data_, tasks_, accumulators_, metrics_},
           {.max_failures = options_.tasks.max_failures,
            .repairs_states = options_.repairs_states,
            .first_id = FirstIdOfEpoch(options_.epoch)}) {
  dag_.SetBatchFilter([this](int64_t batch_time_ms) {
    return streaming_ != nullptr && streaming_->IsUnfinished(batch_time_ms);
  });
}

void DriverCore::HandleMessage(proto::ToDriver message) {
  const int64_t worker_id = message.worker_id();
  if (message.has_hello()) return WorkerAdded(worker_id, message.hello());
  Worker* const worker = workers_.Find(worker_id);
  if (worker == nullptr) return;  // A late word of a lost one.
  if (options_.worker_timeout_micros > 0) worker->last_heard_micros = env_.MonotonicMicros();
  switch (message.kind_case()) {
    case proto::ToDriver::kTaskStatus:
      data_.NoteCached(worker_id, message.task_status().cached());
      tasks_.HandleStatus(std::move(*message.mutable_task_status()));
      return tasks_.Dispatch();
    case proto::ToDriver::kBlockReport:
      return HandleBlockReport(worker_id, message.block_report());
    case proto::ToDriver::kReceiverEvent:
      return HandleReceiverEvent(worker_id, message.receiver_event());
    case proto::ToDriver::kBlocksCopied:
      return HandleBlocksCopied(worker_id, message.blocks_copied());
    case proto::ToDriver::kCachedDropped:
      return data_.NoteDropped(worker_id, message.cached_dropped().partitions());
    default:
      return;
  }
}

// ---------------------------------------------------------------------------------------------
// Workers.

void DriverCore::WorkerAdded(int64_t worker_id, const proto::WorkerHello& hello) {
  if (workers_.Find(worker_id) != nullptr) return;  // Said twice.
  const bool has_received = hello.blocks_size() > 0 || hello.receivers_size() > 0;
  if (has_received && streaming_ != nullptr) {
    // What it has may be in batches, and its numbers may be given again by now.
    transport_.DisconnectWorker(
        worker_id, absl::FailedPreconditionError("the application has gone on without it"));
    return;
  }
  received_before_.Add(worker_id, hello);
  Worker& added = workers_.Add(worker_id, hello);
  added.last_heard_micros = env_.MonotonicMicros();
  if (workers_.count() == 1) WatchSilence();
  SlotsChanged();
  Introduce(added);
  for (const auto& [id, encoded] : broadcasts_) SendBroadcast(worker_id, id, encoded);
  tasks_.WorkerAdded(worker_id);
  dag_.WorkerAdded();
  if (streaming_ != nullptr) streaming_->WorkerAdded();
  tasks_.Dispatch();
}

void DriverCore::HandleReceiverEvent(int64_t worker_id, const proto::ReceiverEvent& event) {
  if (streaming_ != nullptr) return streaming_->HandleReceiverEvent(worker_id, event);
  if (event.kind() == proto::ReceiverEvent::STOPPED) {
    received_before_.ReceiverStopped(worker_id, event.stream_id());
  }
}

void DriverCore::WorkerLost(int64_t worker_id, const std::string& reason) {
  if (workers_.Find(worker_id) == nullptr) return;
  LOG(WARNING) << "worker " << worker_id << " was lost: " << reason;
  workers_.Remove(worker_id);
  received_before_.WorkerLost(worker_id);
  SlotsChanged();
  SendFarewell(worker_id);
  dag_.WorkerLost(worker_id, reason);
  tasks_.WorkerLost(worker_id, reason);
  dag_.RestartJobs();
  if (streaming_ != nullptr) streaming_->WorkerLost(worker_id);
  tasks_.Dispatch();
}

// To the others, and the others to it.
void DriverCore::Introduce(const Worker& added) {
  if (added.peer_address.empty()) return;
  proto::ToWorker to_added;
  proto::ToWorker to_others;
  const auto add = [](proto::ToWorker& message, const Worker& worker) {
    proto::Peers::Peer& peer = *message.mutable_peers()->add_added();
    peer.set_worker_id(worker.id);
    peer.set_address(worker.peer_address);
  };
  add(to_others, added);
  for (const auto& worker : workers_.all()) {
    if (worker->id == added.id) continue;
    add(to_added, *worker);
    workers_.Send(worker->id, to_others);
  }
  if (to_added.has_peers()) workers_.Send(added.id, std::move(to_added));
}

void DriverCore::SendFarewell(int64_t worker_id) {
  proto::ToWorker message;
  message.mutable_peers()->add_removed(worker_id);
  workers_.SendToAll(message);
}

// Runs while there is a worker. Its timer may fire a quarter of the limit late. When it fires later
// than that, it was this process that stood still (stopped, or without a processor): what workers
// said meanwhile has not been read yet, so that time does not count against them.
void DriverCore::WatchSilence() {
  if (options_.worker_timeout_micros <= 0 || is_watching_) return;
  is_watching_ = true;
  const int64_t interval_micros = std::max<int64_t>(1, options_.worker_timeout_micros / 4);
  const int64_t due_micros = env_.MonotonicMicros() + interval_micros;
  env_.After(interval_micros, [this, interval_micros, due_micros] {
    is_watching_ = false;
    const int64_t now = env_.MonotonicMicros();
    const int64_t late_micros = now - due_micros;
    if (late_micros > interval_micros) {
      for (const auto& worker : workers_.all()) {
        worker->last_heard_micros = std::min(worker->last_heard_micros + late_micros, now);
      }
    }
    const int64_t silent_since = now - options_.worker_timeout_micros;
    std::vector<int64_t> silent;
    for (const auto& worker : workers_.all()) {
      if (IsMade(Mistake::kSilentWorkersTrusted)) continue;
      if (worker->last_heard_micros < silent_since) silent.push_back(worker->id);
    }
    for (const int64_t id : silent) {
      const std::string reason = absl::StrCat("it has said nothing for ",
                                              options_.worker_timeout_micros / 1'000'000, " s");
      transport_.DisconnectWorker(id, absl::DeadlineExceededError(reason));
      WorkerLost(id, reason);
    }
    if (!is_stopped_ && workers_.count() > 0) WatchSilence();
  });
}

void DriverCore::SlotsChanged() {
  if (options_.on_slots_changed != nullptr) options_.on_slots_changed(workers_.total_slots());
}

// Blocks for which there is no run (any more) are dropped at once, wherever their copies are.
void DriverCore::HandleBlockReport(int64_t worker_id, const proto::BlockReport& report) {
  if (streaming_ != nullptr && !streaming_->is_stopped()) {
    return streaming_->HandleBlockReport(worker_id, report);
  }
  if (streaming_ == nullptr && options_.epoch > 1) return received_before_.Add(worker_id, report);
  std::vector<BlockRef> dropped;
  for (const proto::StoredBlock& block : report.blocks()) {
    dropped.push_back({block.id().stream_id(), block.id().sequence()});
    data_.blocks.Add(dropped.back(), worker_id);
    data_.blocks.NoteScattered(dropped.back());
  }
  data_.DropBlocks(dropped);
}

void DriverCore::HandleBlocksCopied(int64_t worker_id, const proto::BlocksCopied& copied) {
  if (streaming_ != nullptr) return streaming_->HandleBlocksCopied(worker_id, copied);
  std::vector<BlockRef> dropped;
  for (const proto::BlockId& id : copied.blocks()) {
    dropped.push_back({id.stream_id(), id.sequence()});
    data_.blocks.Add(dropped.back(), worker_id);
  }
  data_.DropBlocks(dropped);
}

// ---------------------------------------------------------------------------------------------
// Jobs and what they share.

void DriverCore::SubmitJob(JobSpec spec, JobDone done) {
  if (is_stopped_) return done(absl::CancelledError("the driver has stopped"));
  const bool is_of_stopping_run =
      spec.batch_time_ms >= 0 && streaming_ != nullptr && streaming_->is_stopping_at_once();
  if (is_of_stopping_run) return done(absl::CancelledError("the streaming context was stopped"));
  dag_.Submit(std::move(spec), std::move(done));
  tasks_.Dispatch();
}

void DriverCore::Stop() {
  is_stopped_ = true;
  if (streaming_ != nullptr) streaming_->Stop(/*graceful=*/false);
  dag_.Cancel([](const JobSpec& /*spec*/) { return true; },
              absl::CancelledError("the driver has stopped"));
}

void DriverCore::PutBroadcast(int64_t broadcast_id, std::string encoded) {
  for (const auto& worker : workers_.all()) SendBroadcast(worker->id, broadcast_id, encoded);
  broadcasts_.insert_or_assign(broadcast_id, std::move(encoded));
}

void DriverCore::SendBroadcast(int64_t worker_id, int64_t broadcast_id,
                               const std::string& encoded) {
  proto::ToWorker message;
  message.mutable_put_broadcast()->set_broadcast_id(broadcast_id);
  message.mutable_put_broadcast()->set_value(encoded);
  workers_.Send(worker_id, std::move(message));
}

void DriverCore::DropBroadcast(int64_t broadcast_id) {
  if (broadcasts_.erase(broadcast_id) == 0) return;
  proto::ToWorker message;
  message.mutable_drop_broadcast()->set_broadcast_id(broadcast_id);
  workers_.SendToAll(message);
}

// ---------------------------------------------------------------------------------------------
// Streaming.

absl::StatusOr<StreamingRun*> DriverCore::BeginStreaming(StreamingSpec spec,
                                                         StreamingRun::Observer observer) {
  if (is_stopped_) return absl::FailedPreconditionError("the driver has stopped");
  if (streaming_ != nullptr && !streaming_->is_stopped()) {
    return absl::FailedPreconditionError(
        "a streaming run of this application is under way; stop it first");
  }
  StreamingRun::Parts parts{env_,
                            workers_,
                            data_,
                            options_.supply,
                            streaming_count_++ << kSequenceBits,
                            std::exchange(received_before_, {}),
                            [this] {
                              dag_.BatchEnded();
                              tasks_.Dispatch();
                            },
                            [this](const absl::Status& reason) {
                              dag_.Cancel([](const JobSpec& job) { return job.batch_time_ms >= 0; },
                                          reason);
                              tasks_.Dispatch();
                            }};
  streaming_ =
      std::make_shared<StreamingRun>(std::move(parts), std::move(spec), std::move(observer));
  return streaming_.get();
}

bool DriverCore::idle() const {
  return dag_.idle() && tasks_.running_count() == 0 && data_.empty() && broadcasts_.empty();
}

}  // namespace millrace::internal
