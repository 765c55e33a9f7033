#include "executor/receiver/threaded_receiver_service.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fs/path.h"
#include "executor/receiver/find_receiver.h"

namespace millrace::internal {

namespace {

constexpr int64_t kMicrosPerMs = 1000;
constexpr int64_t kNanosPerMs = 1'000'000;
// Of the worker's memory: what all receivers together may hold unprocessed.
constexpr double kMemoryFactor = 0.5;
constexpr double kSpillingMemoryFactor = 2;
// Blocks that wait to be stored, and messages with copies, are in memory that no budget counts: so
// a block is a small part of it, unless that is less than is worth a block.
constexpr size_t kBlocksInMemory = 64;
constexpr size_t kSmallBlockBytes = size_t{1} << 20;

// Of StartReceiver or UpdateRate.
template <class Message>
BlockGenerator::Limits LimitsOf(const Message& message) {
  return {.records_per_second = message.rate_limit(),
          .bytes_per_second = message.byte_rate_limit(),
          .unprocessed_bytes_max = message.unprocessed_bytes_max()};
}

ReceiverSupervisor::Options OptionsOf(const proto::StartReceiver& request) {
  ReceiverSupervisor::Options options;
  options.name = request.label();
  options.blocks.stream_id = request.stream_id();
  options.blocks.first_sequence = request.first_sequence();
  options.blocks.storage_level = static_cast<StorageLevel>(request.storage_level());
  if (request.restart_delay_ms() > 0) {
    options.restart_delay = std::chrono::milliseconds(request.restart_delay_ms());
  }
  if (request.max_line_bytes() > 0) options.line_bytes_max = request.max_line_bytes();
  if (request.store_timeout_ms() > 0) {
    options.blocks.store_call_nanos_max = request.store_timeout_ms() * kNanosPerMs;
  }
  return options;
}

WriteAheadLog::Options LogOptionsOf(const proto::ReceiverLog& log) {
  WriteAheadLog::Options options;
  options.directory = log.directory();
  options.seals.assign(log.seals().begin(), log.seals().end());
  if (!options.seals.empty()) options.shared_directory = std::string(DirName(options.seals[0]));
  options.rolling_interval = std::chrono::milliseconds(log.rolling_interval_ms());
  options.attempts_max = static_cast<int>(std::max<uint32_t>(1, log.attempts_max()));
  options.close_after_write = log.close_after_write();
  return options;
}

}  // namespace

void ThreadedReceiverService::Start(const proto::StartReceiver& request) {
  if (streams_.contains(request.stream_id())) return;
  if (!IsKeepingLevel(request.storage_level())) {
    return RefuseStart(request, absl::StrCat("storage level ", request.storage_level(),
                                             " is none for received blocks"));
  }
  if (request.has_log() && (fs_ == nullptr || request.log().directory().empty())) {
    return RefuseStart(request, "this worker has no place for the receiver's log");
  }
  absl::StatusOr<std::unique_ptr<ReceiverBase>> receiver =
      MakeReceiver(request.operator_name(), request.params());
  if (!receiver.ok()) return RefuseStart(request, std::string(receiver.status().message()));

  ReceiverSupervisor::Options options = OptionsOf(request);
  options.blocks.replicator = replicator_;
  options.blocks.block_bytes_max = std::clamp(store_.memory_bytes_max() / kBlocksInMemory,
                                              kSmallBlockBytes, BlockGenerator::kBlockBytesMax);
  const auto stream = std::make_shared<Stream>();
  if (request.has_log()) {
    stream->log = std::make_unique<WriteAheadLog>(*fs_, LogOptionsOf(request.log()));
    options.blocks.log = stream->log.get();
  }
  stream->stream_id = request.stream_id();
  stream->request = request;
  stream->name = request.label();
  stream->block_interval_micros = request.block_interval_ms() * kMicrosPerMs;
  stream->supervisor = std::make_unique<ReceiverSupervisor>(
      std::move(options), *std::move(receiver), store_, CallbacksOf(stream));
  stream->may_spill = UsesDisk(static_cast<StorageLevel>(request.storage_level()));
  stream->limits = LimitsOf(request);
  streams_[request.stream_id()] = stream;
  ApplyAllLimits();
  stream->supervisor->Launch();
  ArmCutTimer(stream);
}

void ThreadedReceiverService::RefuseStart(const proto::StartReceiver& request,
                                          const std::string& error) {
  proto::ReceiverEvent event;
  event.set_stream_id(request.stream_id());
  event.set_kind(proto::ReceiverEvent::STOPPED);
  event.set_name(request.label());
  event.set_message("the receiver cannot be started");
  event.set_error(error);
  listener_->OnReceiverEvent(std::move(event));
}

template <class Callback>
void ThreadedReceiverService::PostTo(std::weak_ptr<Stream> stream, Callback callback) {
  env_.Post([stream = std::move(stream), callback = std::move(callback)]() mutable {
    // The loop alone ends streams, so it stays while the callback runs.
    if (const std::shared_ptr<Stream> alive = stream.lock()) callback(*alive);
  });
}

ReceiverSupervisor::Callbacks ThreadedReceiverService::CallbacksOf(
    const std::shared_ptr<Stream>& stream) {
  const std::weak_ptr<Stream> weak = stream;
  return {.on_event =
              [this, weak](ReceiverSupervisor::Event event, const std::string& message,
                           const std::string& error) {
                PostTo(weak, [this, event, message, error](Stream& alive) {
                  OnEvent(alive, event, message, error);
                });
              },
          .on_reports = [this, weak] { PostTo(weak, [this](Stream& alive) { Deliver(alive); }); }};
}

void ThreadedReceiverService::OnEvent(Stream& stream, ReceiverSupervisor::Event event,
                                      const std::string& message, const std::string& error) {
  proto::ReceiverEvent out;
  out.set_stream_id(stream.stream_id);
  out.set_name(stream.name);
  out.set_message(message);
  out.set_error(error);
  switch (event) {
    case ReceiverSupervisor::Event::kStarted:
      out.set_kind(proto::ReceiverEvent::STARTED);
      break;
    case ReceiverSupervisor::Event::kError:
      out.set_kind(proto::ReceiverEvent::ERROR);
      break;
    case ReceiverSupervisor::Event::kStopped:
      out.set_kind(proto::ReceiverEvent::STOPPED);
      // Cuts since the last report must be answered before this.
      Deliver(stream);
      env_.Cancel(stream.cut_timer);
      // The supervisor's thread has nothing left to do but to end.
      streams_.erase(stream.stream_id);
      ApplyAllLimits();
      break;
  }
  listener_->OnReceiverEvent(std::move(out));
}

void ThreadedReceiverService::ArmCutTimer(const std::shared_ptr<Stream>& stream) {
  if (stream->block_interval_micros <= 0) return;
  stream->cut_timer =
      env_.After(stream->block_interval_micros, [this, weak = std::weak_ptr<Stream>(stream)] {
        const std::shared_ptr<Stream> alive = weak.lock();
        if (alive == nullptr) return;
        ArmCutTimer(alive);
        BlockGenerator& generator = alive->supervisor->generator();
        generator.Cut(NowMs());
        generator.TryStorePending();
        Deliver(*alive);
      });
}

void ThreadedReceiverService::Deliver(Stream& stream) {
  for (proto::BlockReport& report : stream.supervisor->generator().TakeReports(NowMs())) {
    for (const proto::StoredBlock& block : report.blocks()) {
      stream.reported_bytes += block.size_bytes();
    }
    listener_->OnBlockReport(std::move(report));
  }
}

void ThreadedReceiverService::CutBlocks(int64_t batch_time_ms) {
  const int64_t now_ms = NowMs();
  // The listener may start and stop streams, so all are cut before it hears of any.
  std::vector<std::shared_ptr<Stream>> cut;
  cut.reserve(streams_.size());
  for (const auto& [id, stream] : streams_) {
    BlockGenerator& generator = stream->supervisor->generator();
    generator.CutBatch(now_ms, batch_time_ms);
    generator.TryStorePending();
    cut.push_back(stream);
  }
  for (const std::shared_ptr<Stream>& stream : cut) Deliver(*stream);
}

std::vector<proto::RunningReceiver> ThreadedReceiverService::Running() const {
  std::vector<proto::RunningReceiver> running;
  for (const auto& [id, stream] : streams_) {
    proto::RunningReceiver& receiver = running.emplace_back();
    *receiver.mutable_start() = stream->request;
    receiver.set_stored_bytes(stream->reported_bytes);
  }
  std::sort(running.begin(), running.end(), [](const auto& a, const auto& b) {
    return a.start().stream_id() < b.start().stream_id();
  });
  return running;
}

void ThreadedReceiverService::Stop(int64_t stream_id, const std::string& reason) {
  const auto stream = streams_.find(stream_id);
  if (stream != streams_.end()) stream->second->supervisor->RequestStop(reason);
}

void ThreadedReceiverService::UpdateRate(const proto::UpdateRate& request) {
  const auto found = streams_.find(request.stream_id());
  if (found == streams_.end()) return;
  Stream& stream = *found->second;
  stream.limits = LimitsOf(request);
  ApplyLimits(stream);
  stream.supervisor->generator().SetProcessed(request.processed_bytes());
}

// The shares depend on how many receivers there are.
void ThreadedReceiverService::ApplyAllLimits() const {
  for (const auto& [id, stream] : streams_) ApplyLimits(*stream);
}

void ThreadedReceiverService::ApplyLimits(Stream& stream) const {
  BlockGenerator::Limits limits = stream.limits;
  int64_t& bytes_max = limits.unprocessed_bytes_max;
  if (bytes_max > 0) {
    const double factor = stream.may_spill ? kSpillingMemoryFactor : kMemoryFactor;
    const double share = factor * static_cast<double>(store_.memory_bytes_max()) /
                         static_cast<double>(streams_.size());
    bytes_max = std::max<int64_t>(1, std::min(bytes_max, static_cast<int64_t>(share)));
  }
  stream.supervisor->generator().SetLimits(limits);
}

}  // namespace millrace::internal
