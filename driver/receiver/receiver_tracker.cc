#include "driver/receiver/receiver_tracker.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fs/path.h"
#include "common/log/block_log.h"
#include "common/log/write_ahead_log.h"
#include "driver/receiver/receiver_placement.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;
// Between two attempts to read the log of a lost worker.
constexpr int64_t kLostLogRetryMicros = 1'000'000;
constexpr int kStartBits = ReceivedBlockTracker::kStartBits;

std::vector<int64_t> StreamIds(const std::vector<ReceiverSpec>& receivers) {
  std::vector<int64_t> ids;
  ids.reserve(receivers.size());
  for (const ReceiverSpec& receiver : receivers) ids.push_back(receiver.stream_id);
  return ids;
}

std::string LogDirectory(const ReceiverSpec& receiver, int64_t start) {
  return JoinPath(receiver.log->directory, absl::StrCat(start));
}

std::string SealOf(const std::string& log_directory) { return JoinPath(log_directory, "sealed"); }

proto::ToWorker StartMessage(const ReceiverSpec& receiver, const StreamingSpec& streaming,
                             const StreamLimits& limits, int64_t first_sequence) {
  proto::ToWorker message;
  proto::StartReceiver& start = *message.mutable_start_receiver();
  start.set_stream_id(receiver.stream_id);
  start.set_operator_name(receiver.operator_name);
  start.set_params(receiver.params);
  start.set_storage_level(static_cast<uint32_t>(receiver.storage_level));
  start.set_block_interval_ms(streaming.block_interval.count());
  start.set_batch_interval_ms(streaming.batch_interval.count());
  start.set_restart_delay_ms(streaming.receiver_restart_delay.count());
  start.set_max_line_bytes(streaming.max_line_bytes);
  start.set_rate_limit(limits.rate);
  start.set_byte_rate_limit(limits.byte_rate);
  start.set_unprocessed_bytes_max(limits.unprocessed_bytes_max);
  start.set_first_sequence(first_sequence);
  start.set_label(receiver.label);
  start.set_store_timeout_ms(streaming.block_store_timeout.count());
  if (receiver.log.has_value()) {
    const std::string directory = LogDirectory(receiver, first_sequence >> kStartBits);
    proto::ReceiverLog& log = *start.mutable_log();
    log.set_directory(directory);
    log.add_seals(receiver.log->run_seal);
    log.add_seals(SealOf(directory));
    log.set_rolling_interval_ms(receiver.log->rolling_interval.count());
    log.set_attempts_max(static_cast<uint32_t>(receiver.log->attempts_max));
    log.set_close_after_write(receiver.log->close_after_write);
  }
  return message;
}

}  // namespace

ReceiverTracker::ReceiverTracker(Env& env, WorkerRegistry& workers, BlockLocations& locations,
                                 ListenerBus& bus, const StreamingSpec& spec,
                                 const Beginning& beginning)
    : env_(env),
      workers_(workers),
      locations_(locations),
      bus_(bus),
      spec_(spec),
      blocks_(StreamIds(spec.receivers)) {
  for (const ReceiverSpec& receiver_spec : spec.receivers) {
    Receiver& receiver = receivers_[receiver_spec.stream_id];
    receiver.spec = receiver_spec;
    receiver.info.stream_id = static_cast<int>(receiver_spec.stream_id);
    receiver.info.name = receiver_spec.name;
    receiver.limits = beginning.limits;
    receiver.next_sequence = std::max(beginning.first_sequence, receiver_spec.first_sequence);
    receiver.first_sequence = receiver.next_sequence;
  }
}

ReceiverTracker::~ReceiverTracker() {
  env_.Cancel(cut_timer_);
  for (auto& [stream_id, receiver] : receivers_) env_.Cancel(receiver.restart_timer);
}

void ReceiverTracker::Start(const ReceivedBefore& before) {
  TakeOver(before);
  for (auto& [stream_id, receiver] : receivers_) Place(receiver);
}

// ---------------------------------------------------------------------------------------------
// What an earlier driver has left on workers.

void ReceiverTracker::TakeOver(const ReceivedBefore& before) {
  for (const auto& [stream_id, end_start] : before.Describe().end_start) {
    Receiver* const receiver = Find(stream_id);
    if (receiver == nullptr) continue;
    receiver->next_sequence = std::max(receiver->next_sequence, end_start << kStartBits);
    receiver->first_sequence = receiver->next_sequence;
  }
  for (const ReceivedBefore::Running& running : before.receivers()) Adopt(running);
}

bool ReceiverTracker::TakeBlock(const ReceivedBlock& block) {
  const Receiver* const receiver = Find(block.id.stream_id);
  if (blocks_.IsKnown(block.id)) return true;
  const bool is_earlier = receiver != nullptr && block.id.sequence < receiver->first_sequence;
  return (!is_earlier || MayComeLate(block)) && blocks_.AddBlock(block);
}

// A block of an earlier driver's receiver counts where the graph goes on with the stream, and does
// not know that its start is done; what is in a log was read there.
bool ReceiverTracker::MayComeLate(const ReceivedBlock& block) const {
  const auto stream = spec_.recovered.taken_over.find(block.id.stream_id);
  if (stream == spec_.recovered.taken_over.end() || block.log_place.has_value()) return false;
  const int64_t start = block.id.sequence >> kStartBits;
  return stream->second.assigned.contains(start) || stream->second.unheard.Contains(start);
}

bool ReceiverTracker::IsTakenOver(int64_t stream_id) const {
  return spec_.recovered.taken_over.contains(stream_id);
}

// It goes on where it is the same; else it ends, and then it is placed again.
void ReceiverTracker::Adopt(const ReceivedBefore::Running& running) {
  const proto::StartReceiver& start = running.receiver.start();
  Receiver* const receiver = Find(start.stream_id());
  const bool is_the_same =
      receiver != nullptr && IsTakenOver(start.stream_id()) && !receiver->worker_id.has_value() &&
      !receiver->spec.log.has_value() && !start.has_log() &&
      start.operator_name() == receiver->spec.operator_name &&
      start.params() == receiver->spec.params &&
      start.storage_level() == static_cast<uint32_t>(receiver->spec.storage_level);
  if (!is_the_same) {
    proto::ToWorker message;
    message.mutable_stop_receiver()->set_stream_id(start.stream_id());
    message.mutable_stop_receiver()->set_reason("the application has another driver");
    workers_.Send(running.worker_id, std::move(message));
    if (receiver != nullptr) receiver->leaving.insert(running.worker_id);
    return;
  }
  receiver->worker_id = running.worker_id;
  receiver->placement_sequence = start.first_sequence();
  receiver->processed_bytes =
      std::max<int64_t>(0, running.receiver.stored_bytes() - UnprocessedBytes(*receiver));
  receiver->info.active = true;
  receiver->info.executor_id = absl::StrCat(running.worker_id);
  if (const Worker* const worker = workers_.Find(running.worker_id)) {
    receiver->info.location = worker->host;
  }
  LOG(INFO) << receiver->spec.label << " goes on on worker " << running.worker_id;
  bus_.Post(
      [info = receiver->info](StreamingListener& listener) { listener.OnReceiverStarted(info); });
  SendLimits(*receiver);
}

// Of its present placement.
int64_t ReceiverTracker::UnprocessedBytes(const Receiver& receiver) const {
  int64_t bytes = 0;
  const auto count = [&](const BatchBlocks& blocks) {
    const auto of_stream = blocks.find(receiver.spec.stream_id);
    if (of_stream == blocks.end()) return;
    for (const ReceivedBlock& block : of_stream->second) {
      if (block.id.sequence >= receiver.placement_sequence) bytes += block.size_bytes;
    }
  };
  count(spec_.recovered.unallocated);
  for (const auto& [time, blocks] : spec_.recovered.batches) {
    if (spec_.resume && time > spec_.resume->completed_time) count(blocks);
  }
  return bytes;
}

// ---------------------------------------------------------------------------------------------
// Placing.

void ReceiverTracker::Place(Receiver& receiver) {
  receiver.restart_timer = kNoTimer;
  if (is_stopping_ || receiver.worker_id.has_value()) return;
  PlacementFacts facts;
  for (const Worker* const worker : workers_.usable()) {
    if (receiver.leaving.contains(worker->id)) continue;
    const auto receivers =
        std::count_if(receivers_.begin(), receivers_.end(),
                      [worker](const auto& other) { return other.second.worker_id == worker->id; });
    facts.workers.push_back({worker->id, worker->host, static_cast<int>(receivers)});
  }
  facts.preferred_host = receiver.spec.preferred_host;
  facts.failed_worker = receiver.failed_worker;
  receiver.worker_id = PlaceReceiver(facts);
  if (!receiver.worker_id.has_value()) return;  // WorkerAdded tries again.
  workers_.Send(*receiver.worker_id,
                StartMessage(receiver.spec, spec_, receiver.limits, receiver.next_sequence));
  receiver.placement_sequence = receiver.next_sequence;
  receiver.processed_bytes = 0;
  receiver.reported_segment = 0;
  receiver.next_sequence += kSequencesPerPlacement;
}

bool ReceiverTracker::IsOn(int64_t worker_id) const {
  return std::any_of(receivers_.begin(), receivers_.end(), [worker_id](const auto& receiver) {
    return receiver.second.worker_id == worker_id;
  });
}

void ReceiverTracker::PlaceLater(Receiver& receiver) {
  if (is_stopping_ || receiver.restart_timer != kNoTimer) return;
  receiver.restart_timer = env_.After(spec_.receiver_restart_delay.count() * kMicrosPerMilli,
                                      [this, &receiver] { Place(receiver); });
}

void ReceiverTracker::Stop(Closure done) {
  is_stopping_ = true;
  when_stopped_ = std::move(done);
  for (auto& [stream_id, receiver] : receivers_) {
    env_.Cancel(std::exchange(receiver.restart_timer, kNoTimer));
    if (!receiver.worker_id.has_value()) continue;
    proto::ToWorker message;
    message.mutable_stop_receiver()->set_stream_id(stream_id);
    message.mutable_stop_receiver()->set_reason("the streaming context stops");
    workers_.Send(*receiver.worker_id, std::move(message));
  }
  FinishStopWhenDone();
}

bool ReceiverTracker::all_stopped() const {
  return is_stopping_ && lost_logs_ == 0 &&
         std::none_of(receivers_.begin(), receivers_.end(),
                      [](const auto& entry) { return entry.second.worker_id.has_value(); });
}

void ReceiverTracker::FinishStopWhenDone() {
  if (all_stopped() && when_stopped_) std::exchange(when_stopped_, nullptr)();
}

void ReceiverTracker::CutForBatch(Time batch_time, int64_t deadline_micros, Closure done) {
  cut_time_ms_ = batch_time.ms();
  cut_waits_for_.clear();
  when_cut_ = std::move(done);
  std::vector<int64_t> asked;
  for (const auto& [stream_id, receiver] : receivers_) {
    if (!receiver.worker_id.has_value() || !receiver.info.active) continue;
    cut_waits_for_.push_back(stream_id);
    const bool is_asked = std::find(asked.begin(), asked.end(), *receiver.worker_id) != asked.end();
    if (!is_asked) asked.push_back(*receiver.worker_id);
  }
  if (cut_waits_for_.empty()) return FinishCut();
  cut_timer_ = env_.After(deadline_micros, [this] {
    cut_timer_ = kNoTimer;
    FinishCut();
  });
  for (const int64_t worker_id : asked) {
    proto::ToWorker message;
    message.mutable_cut_blocks()->set_batch_time_ms(cut_time_ms_);
    workers_.Send(worker_id, std::move(message));
  }
}

void ReceiverTracker::FinishCut() {
  if (!when_cut_) return;
  env_.Cancel(std::exchange(cut_timer_, kNoTimer));
  cut_waits_for_.clear();
  std::exchange(when_cut_, nullptr)();
}

void ReceiverTracker::SetLimits(int64_t stream_id, const StreamLimits& limits) {
  Receiver* const receiver = Find(stream_id);
  if (receiver == nullptr || receiver->limits == limits) return;
  receiver->limits = limits;
  SendLimits(*receiver);
}

void ReceiverTracker::BlocksProcessed(const BatchBlocks& blocks) {
  for (auto& [stream_id, receiver] : receivers_) {
    const auto processed = blocks.find(stream_id);
    if (receiver.limits.unprocessed_bytes_max <= 0 || processed == blocks.end()) continue;
    const int64_t bytes_before = receiver.processed_bytes;
    for (const ReceivedBlock& block : processed->second) {
      const bool is_its_own = block.id.sequence >= receiver.placement_sequence;
      if (is_its_own) receiver.processed_bytes += block.size_bytes;
    }
    if (receiver.processed_bytes != bytes_before) SendLimits(receiver);
  }
}

void ReceiverTracker::SendLimits(const Receiver& receiver) {
  if (!receiver.worker_id.has_value()) return;
  proto::ToWorker message;
  proto::UpdateRate& update = *message.mutable_update_rate();
  update.set_stream_id(receiver.spec.stream_id);
  update.set_rate_limit(receiver.limits.rate);
  update.set_byte_rate_limit(receiver.limits.byte_rate);
  update.set_unprocessed_bytes_max(receiver.limits.unprocessed_bytes_max);
  update.set_processed_bytes(receiver.processed_bytes);
  workers_.Send(*receiver.worker_id, std::move(message));
}

void ReceiverTracker::HandleBlockReport(int64_t worker_id, const proto::BlockReport& report) {
  // A copy of a lost worker's block whose batch is over.
  std::vector<BlockRef> forgotten;
  const Receiver* const receiver = Find(report.stream_id());
  const bool has_copies = receiver != nullptr && CopyCount(receiver->spec.storage_level) > 1;
  for (const proto::StoredBlock& stored : report.blocks()) {
    ReceivedBlock block = ToReceivedBlock(stored, worker_id);
    block.id.stream_id = report.stream_id();
    NoteReported(block);
    if (!TakeBlock(block)) {
      forgotten.push_back(block.id);
      continue;
    }
    locations_.Add(block.id, worker_id);
    if (block.log_place.has_value()) locations_.NoteLogged(block.id);
    if (workers_.Find(stored.replica()) != nullptr) locations_.Add(block.id, stored.replica());
    // Of a copy that was sent and not confirmed nobody knows whether it came.
    if (has_copies && stored.replica() == 0) locations_.NoteScattered(block.id);
  }
  Drop(forgotten, worker_id);
  if (!when_cut_ || report.batch_time_ms() < cut_time_ms_) return;
  std::erase(cut_waits_for_, report.stream_id());
  if (cut_waits_for_.empty()) FinishCut();
}

// What was logged later is in this segment or in one behind it.
void ReceiverTracker::NoteReported(const ReceivedBlock& block) {
  Receiver* const receiver = Find(block.id.stream_id);
  if (receiver == nullptr || !block.log_place.has_value()) return;
  if (block.id.sequence < receiver->placement_sequence) return;
  receiver->reported_segment = std::max(receiver->reported_segment, block.log_place->segment);
}

void ReceiverTracker::RestoreBatches(const std::vector<Time>& made) {
  std::map<Time, BatchBlocks> batches = spec_.recovered.batches;
  for (const Time time : made) batches[time];
  for (const auto& [time, blocks] : batches) blocks_.RestoreBatch(time, blocks);
  for (const auto& [stream_id, starts] : spec_.recovered.taken_over) {
    for (const auto& [start, sequence] : starts.assigned) {
      blocks_.RestoreAllocated(stream_id, start, sequence);
    }
  }
}

void ReceiverTracker::AddRecovered(const ReceivedBefore& before) {
  for (const auto& [stream_id, blocks] : spec_.recovered.unallocated) {
    for (const ReceivedBlock& block : blocks) blocks_.AddBlock(block);
  }
  for (const ReceivedBefore::Held& held : before.blocks()) {
    proto::BlockReport report;
    report.set_stream_id(held.block.id().stream_id());
    *report.add_blocks() = held.block;
    HandleBlockReport(held.worker_id, report);
  }
}

// ---------------------------------------------------------------------------------------------
// Logs of starts that have ended.

void ReceiverTracker::StartEnded(const Receiver& receiver, bool is_lost) {
  if (!receiver.spec.log.has_value()) return;
  const int64_t stream_id = receiver.spec.stream_id;
  const int64_t start = receiver.placement_sequence >> kStartBits;
  // One that ends by itself has reported all that it had.
  if (!is_lost) return ended_starts_[stream_id].push_back(start);
  auto log = std::make_shared<LostLog>();
  log->stream_id = stream_id;
  log->start = start;
  log->directory = LogDirectory(receiver.spec, start);
  log->first_segment = receiver.reported_segment;
  ++lost_logs_;
  ReadLostLog(log);
}

void ReceiverTracker::ReadLostLog(const std::shared_ptr<LostLog>& log) {
  env_.RunJob(
      [&fs = env_.fs(), log] {
        const absl::Status sealed = SealLog(fs, SealOf(log->directory));
        if (sealed.ok()) {
          log->found = ListLoggedBlocks(fs, log->directory, log->first_segment);
        } else {
          log->found = sealed;
        }
      },
      [this, log, alive = std::weak_ptr<char>(alive_)] {
        if (!alive.expired()) OnLostLogRead(log);
      });
}

void ReceiverTracker::OnLostLogRead(const std::shared_ptr<LostLog>& log) {
  if (!log->found.ok()) {
    LOG(ERROR) << "what a lost worker has received of stream " << log->stream_id
               << " cannot be read yet: " << log->found.status();
    env_.After(kLostLogRetryMicros, [this, log, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) ReadLostLog(log);
    });
    return;
  }
  for (const proto::StoredBlock& stored : *log->found) {
    ReceivedBlock block = ToReceivedBlock(stored, /*worker_id=*/0);
    block.id.stream_id = log->stream_id;
    if (blocks_.AddBlock(block)) locations_.NoteLogged(block.id);
  }
  ended_starts_[log->stream_id].push_back(log->start);
  --lost_logs_;
  FinishStopWhenDone();
}

void ReceiverTracker::Drop(const std::vector<BlockRef>& blocks, int64_t worker_id) {
  if (blocks.empty()) return;
  proto::ToWorker message;
  for (const BlockRef& block : blocks) {
    proto::BlockId& id = *message.mutable_drop_blocks()->add_blocks();
    id.set_stream_id(block.stream_id);
    id.set_sequence(block.sequence);
  }
  workers_.Send(worker_id, std::move(message));
}

void ReceiverTracker::HandleReceiverEvent(int64_t worker_id, const proto::ReceiverEvent& event) {
  Receiver* const receiver = Find(event.stream_id());
  const bool has_left = receiver != nullptr && event.kind() == proto::ReceiverEvent::STOPPED &&
                        receiver->leaving.erase(worker_id) > 0;
  if (has_left) return Place(*receiver);
  // Of a receiver that was given up: another one runs in its place.
  if (receiver == nullptr || receiver->worker_id != worker_id) return;
  ReceiverInfo& info = receiver->info;
  const Worker* const worker = workers_.Find(worker_id);
  if (worker != nullptr) info.location = worker->host;
  info.executor_id = absl::StrCat(worker_id);
  if (!event.message().empty() && event.kind() != proto::ReceiverEvent::STARTED) {
    // A receiver that ends as it was asked to has a reason, but no error.
    const bool is_error = event.kind() == proto::ReceiverEvent::ERROR || !event.error().empty();
    info.last_error_message = event.message();
    info.last_error = event.error();
    info.last_error_time_ms = is_error ? env_.NowMicros() / kMicrosPerMilli : -1;
  }
  switch (event.kind()) {
    case proto::ReceiverEvent::STARTED:
      info.active = true;
      bus_.Post([info](StreamingListener& listener) { listener.OnReceiverStarted(info); });
      break;
    case proto::ReceiverEvent::STOPPED:
      info.active = false;
      StartEnded(*receiver, /*is_lost=*/false);
      receiver->worker_id.reset();
      receiver->failed_worker = worker_id;
      bus_.PostTrouble([info](StreamingListener& listener) { listener.OnReceiverStopped(info); });
      std::erase(cut_waits_for_, event.stream_id());
      if (cut_waits_for_.empty()) FinishCut();
      PlaceLater(*receiver);
      FinishStopWhenDone();
      break;
    default:
      bus_.PostTrouble([info](StreamingListener& listener) { listener.OnReceiverError(info); });
  }
}

void ReceiverTracker::WorkerAdded() {
  for (auto& [stream_id, receiver] : receivers_) {
    if (receiver.restart_timer == kNoTimer) Place(receiver);
  }
}

void ReceiverTracker::WorkerLost(int64_t worker_id) {
  for (auto& [stream_id, receiver] : receivers_) {
    if (receiver.leaving.erase(worker_id) > 0) Place(receiver);
    if (receiver.worker_id != worker_id) continue;
    StartEnded(receiver, /*is_lost=*/true);
    receiver.worker_id.reset();
    receiver.failed_worker = worker_id;
    receiver.info.active = false;
    receiver.info.last_error_message = absl::StrCat("worker ", worker_id, " was lost");
    receiver.info.last_error.clear();
    receiver.info.last_error_time_ms = env_.NowMicros() / kMicrosPerMilli;
    bus_.PostTrouble(
        [info = receiver.info](StreamingListener& listener) { listener.OnReceiverStopped(info); });
    std::erase(cut_waits_for_, stream_id);
    Place(receiver);
  }
  if (cut_waits_for_.empty()) FinishCut();
  FinishStopWhenDone();
}

ReceiverTracker::Receiver* ReceiverTracker::Find(int64_t stream_id) {
  const auto found = receivers_.find(stream_id);
  return found == receivers_.end() ? nullptr : &found->second;
}

}  // namespace millrace::internal
