#include "executor/receiver/block_generator.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/annotate_status.h"
#include "common/base/mistake.h"
#include "common/log/block_log.h"
#include "common/time/system_clock.h"

namespace millrace::internal {

namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr int64_t kErrorPeriodNanos = 10 * kNanosPerSecond;
// Waits look around at least this often.
constexpr absl::Duration kRecheck = absl::Milliseconds(100);
constexpr std::chrono::milliseconds kRoomRecheck{100};
// What is logged with one sync.
constexpr size_t kGroupBlocksMax = 64;
constexpr size_t kGroupBytesMax = size_t{64} << 20;
// What a record has beside the block's bytes is a small part of this.
constexpr size_t kLoggedBytesMax = kSegmentPayloadBytesMax / 2;

absl::Status ReleasedError() { return absl::CancelledError("the receiver was stopped"); }

}  // namespace

struct BlockGenerator::StoreCall {
  bool done = false;
  absl::Status status;
};

// ---------------------------------------------------------------------------------------------
// Writers.

void BlockGenerator::AddRecord(std::string_view encoded) {
  absl::MutexLock lock(&writer_mutex_);
  if (!encoded.empty()) {
    std::memcpy(open_.Room(encoded.size()).data(), encoded.data(), encoded.size());
  }
  open_.Fill(encoded.size());
  PublishRecords(encoded.size(), 1);
}

int64_t BlockGenerator::records_at_once() const {
  if (!limited_.load(std::memory_order_relaxed)) return std::numeric_limits<int64_t>::max();
  absl::MutexLock lock(&mutex_);
  return limiter_.records_max();
}

void BlockGenerator::PublishRecords(size_t bytes, int64_t records) {
  if (limited_.load(std::memory_order_relaxed)) Admit(records, bytes);
  if (open_.Publish(bytes, records) > options_.block_bytes_max) {
    {
      absl::MutexLock lock(&mutex_);
      CutLocked(/*now_ms=*/0);
    }
    if (options_.log == nullptr) {
      StorePending();
    } else {
      callbacks_.on_store_needed();  // A writer does not wait for the disk at every block.
    }
  }
  if (pending_count_.load(std::memory_order_relaxed) > kPendingBlocksMax) {
    WaitWhileTooMuchIsPending();
  }
}

void BlockGenerator::Admit(int64_t records, size_t bytes) {
  absl::MutexLock lock(&mutex_);
  while (!released_) {
    absl::Duration wait = kRecheck;
    if (HasRoom()) {
      const int64_t now_nanos = MonotonicNanos();
      const int64_t wait_nanos =
          records >= 0 ? limiter_.TakeOrWaitNanos(records, now_nanos)
                       : byte_limiter_.TakeOrWaitNanos(static_cast<int64_t>(bytes), now_nanos);
      if (wait_nanos == 0) return;
      wait = absl::Nanoseconds(wait_nanos);
    }
    changed_.WaitWithTimeout(&mutex_, wait);
  }
}

bool BlockGenerator::HasRoom() const {
  if (unprocessed_bytes_max_ <= 0) return true;
  return cut_bytes_ + static_cast<int64_t>(open_.size_bytes()) - processed_bytes_ -
             given_up_bytes_ <
         unprocessed_bytes_max_;
}

void BlockGenerator::WaitWhileTooMuchIsPending() {
  while (true) {
    StorePending();
    absl::MutexLock lock(&mutex_);
    if (released_ || pending_.size() <= kPendingBlocksMax) return;
    changed_.WaitWithTimeout(&mutex_, kRecheck);
  }
}

absl::Status BlockGenerator::StoreBlock(Buffer encoded, int64_t record_count,
                                        std::string_view metadata) {
  if (limited_.load(std::memory_order_relaxed)) Admit(record_count, encoded.size());
  const auto size_bytes = static_cast<int64_t>(encoded.size());
  if (options_.log != nullptr && encoded.size() > kLoggedBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a block of ", size_bytes, " bytes cannot be logged; the limit is ", kLoggedBytesMax));
  }
  StoreCall call;
  const int64_t deadline_nanos = MonotonicNanos() + options_.store_call_nanos_max;
  {
    absl::MutexLock lock(&mutex_);
    if (released_) return ReleasedError();
    Pending pending;
    pending.sequence = next_sequence_++;
    pending.size_bytes = encoded.size();
    if (!encoded.empty()) pending.data.buffers.push_back(std::move(encoded));
    pending.record_count = record_count;
    pending.metadata = std::string(metadata);
    pending.call = &call;
    Append(std::move(pending));
  }
  while (true) {
    StorePending();
    absl::MutexLock lock(&mutex_);
    if (call.done) return call.status;
    if (!IsBeingStored(call) && (released_ || MonotonicNanos() >= deadline_nanos)) {
      pending_.remove_if([&call](const Pending& pending) { return pending.call == &call; });
      given_up_bytes_ += size_bytes;
      pending_count_.store(pending_.size(), std::memory_order_relaxed);
      return released_ ? ReleasedError()
                       : absl::DeadlineExceededError("blocks before it could not be stored yet");
    }
    changed_.WaitWithTimeout(&mutex_, kRecheck);
  }
}

void BlockGenerator::ReleaseWriters(bool released) {
  absl::MutexLock lock(&mutex_);
  released_ = released;
  changed_.SignalAll();
}

// ---------------------------------------------------------------------------------------------
// Event loop.

void BlockGenerator::SetLimits(const Limits& limits) {
  absl::MutexLock lock(&mutex_);
  limiter_.SetRate(limits.records_per_second, MonotonicNanos());
  byte_limiter_.SetRate(limits.bytes_per_second, MonotonicNanos());
  unprocessed_bytes_max_ = limits.unprocessed_bytes_max;
  limited_.store(limiter_.limited() || byte_limiter_.limited() || unprocessed_bytes_max_ > 0,
                 std::memory_order_relaxed);
  changed_.SignalAll();
}

void BlockGenerator::SetProcessed(int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  processed_bytes_ = std::max(processed_bytes_, bytes);
  changed_.SignalAll();
}

void BlockGenerator::Cut(int64_t now_ms) {
  absl::MutexLock lock(&mutex_);
  CutLocked(now_ms);
}

void BlockGenerator::CutBatch(int64_t now_ms, int64_t batch_time_ms) {
  absl::MutexLock lock(&mutex_);
  CutLocked(now_ms);
  Pending batch_end;
  batch_end.batch_time_ms = batch_time_ms;
  Append(std::move(batch_end));
}

void BlockGenerator::CutLocked(int64_t now_ms) {
  BlockContent content = open_.Cut();
  if (content.record_count == 0 && content.size_bytes == 0) return;
  Pending pending;
  pending.sequence = next_sequence_++;
  pending.size_bytes = content.size_bytes;
  pending.data.buffers = std::move(content.pieces);
  pending.record_count = content.record_count;
  pending.cut_time_ms = now_ms;
  Append(std::move(pending));
}

void BlockGenerator::Append(Pending pending) {
  cut_bytes_ += static_cast<int64_t>(pending.size_bytes);
  pending.data.level = options_.storage_level;
  pending.data.record_count = pending.record_count;
  if (options_.log != nullptr) pending.to_log = pending.data.buffers;
  pending_.push_back(std::move(pending));
  pending_count_.store(pending_.size(), std::memory_order_relaxed);
}

void BlockGenerator::TryStorePending() {
  while (StoreNext(/*may_wait=*/false)) {
  }
  if (pending_count_.load(std::memory_order_relaxed) > 0) callbacks_.on_store_needed();
}

std::vector<proto::BlockReport> BlockGenerator::TakeReports(int64_t now_ms) {
  std::vector<proto::BlockReport> reports;
  {
    absl::MutexLock lock(&mutex_);
    reports = std::exchange(reports_, {});
    if (report_.blocks_size() > 0) reports.push_back(std::exchange(report_, {}));
    told_ = false;
  }
  for (proto::BlockReport& report : reports) {
    report.set_stream_id(options_.stream_id);
    for (proto::StoredBlock& block : *report.mutable_blocks()) {
      if (block.cut_time_ms() == 0) block.set_cut_time_ms(now_ms);
    }
  }
  return reports;
}

// ---------------------------------------------------------------------------------------------
// Storing.

void BlockGenerator::StorePending() {
  while (StoreNext(/*may_wait=*/true)) {
  }
}

bool BlockGenerator::StoreNext(bool may_wait) {
  if (options_.log == nullptr) return StoreOne(may_wait);
  if (may_wait) return StoreLogged();
  absl::MutexLock lock(&mutex_);
  PassBatchEnds();
  return false;
}

bool BlockGenerator::StoreOne(bool may_wait) {
  Pending* next = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    PassBatchEnds();
    // Whoever stores goes on until nothing is pending, so it will find what was just added.
    if (storing_count_ > 0 || pending_.empty()) return false;
    storing_count_ = 1;
    next = &pending_.front();
  }
  std::optional<absl::Status> stored;
  if (may_wait) {
    stored = StoreWaiting(*next);
  } else if (!MustReplicate() &&
             store_.TryPut(StoreKey::Block(options_.stream_id, next->sequence), next->data)) {
    stored = absl::OkStatus();
  }
  absl::MutexLock lock(&mutex_);
  storing_count_ = 0;
  if (stored.has_value()) {
    FinishNext(*stored);
    PassBatchEnds();
  }
  // Under the lock: who waits for this block finds it reported when it wakes.
  if (may_wait && HasReports() && !std::exchange(told_, true)) callbacks_.on_reports();
  changed_.SignalAll();
  return stored.has_value();
}

bool BlockGenerator::StoreLogged() {
  Group group;
  {
    absl::MutexLock lock(&mutex_);
    PassBatchEnds();
    if (storing_count_ > 0 || pending_.empty()) return false;
    group = TakeGroup();
  }
  const std::optional<std::vector<absl::Status>> stored = StoreGroup(group);
  absl::MutexLock lock(&mutex_);
  storing_count_ = 0;
  if (stored.has_value()) {
    for (const absl::Status& status : *stored) FinishNext(status);
    PassBatchEnds();
  }
  if (HasReports() && !std::exchange(told_, true)) callbacks_.on_reports();
  changed_.SignalAll();
  return stored.has_value();
}

// Blocks that somebody waits for and others are given up by different rules, so they do not mix.
BlockGenerator::Group BlockGenerator::TakeGroup() {
  Group group;
  size_t bytes = 0;
  const bool has_calls = pending_.front().call != nullptr;
  for (Pending& pending : pending_) {
    if (pending.batch_time_ms > 0 || (pending.call != nullptr) != has_calls) break;
    bytes += pending.size_bytes;
    const bool has_room = group.size() < kGroupBlocksMax && bytes <= kGroupBytesMax;
    if (!group.empty() && !has_room) break;
    group.push_back(&pending);
  }
  storing_count_ = group.size();
  return group;
}

std::optional<std::vector<absl::Status>> BlockGenerator::StoreGroup(const Group& group) {
  std::vector<LogPayload> records;
  records.reserve(group.size());
  for (const Pending* pending : group) {
    records.push_back(EncodeLoggedBlock(Describe(*pending), pending->to_log));
  }
  WriteAheadLog::Written written = options_.log->Append(records);
  std::vector<absl::Status> outcomes;
  outcomes.reserve(group.size());
  for (Pending* pending : group) {
    const std::optional<absl::Status> stored = StoreWaiting(*pending);
    if (!stored.has_value()) return std::nullopt;
    outcomes.push_back(*stored);
  }
  const std::optional<absl::Status> logged = AwaitLogged(group, records, std::move(written));
  if (!logged.has_value()) return std::nullopt;
  for (size_t i = 0; i < group.size(); ++i) {
    if (outcomes[i].ok() && !logged->ok()) {
      store_.Drop(StoreKey::Block(options_.stream_id, group[i]->sequence));
    }
    outcomes[i].Update(*logged);
  }
  return outcomes;
}

std::optional<absl::Status> BlockGenerator::AwaitLogged(const Group& group,
                                                        const std::vector<LogPayload>& records,
                                                        WriteAheadLog::Written written) {
  const Pending& first = *group.front();
  const int64_t begin_nanos = MonotonicNanos();
  int64_t next_message_nanos = begin_nanos;
  while (true) {
    const auto* const places = written->WaitFor(kRoomRecheck);
    if (IsMade(Mistake::kAckBeforeLog)) return absl::OkStatus();
    if (places != nullptr && places->ok()) {
      for (size_t i = 0; i < group.size(); ++i) group[i]->place = (**places)[i];
      return absl::OkStatus();
    }
    const absl::Status failure =
        places == nullptr ? absl::DeadlineExceededError("the log could not be written in time")
                          : places->status();
    if (absl::IsFailedPrecondition(failure)) {
      if (first.call == nullptr) callbacks_.on_error(std::string(failure.message()));
      return failure;
    }
    if (IsReleasedCall(first)) return ReleasedError();
    const int64_t now_nanos = MonotonicNanos();
    if (GivesUp(first, now_nanos - begin_nanos)) return failure;
    if (MustStay(first)) return std::nullopt;
    if (places == nullptr) continue;
    if (first.call != nullptr) return failure;
    if (now_nanos >= next_message_nanos) {
      callbacks_.on_error(
          absl::StrCat("nothing is received until the log can be written: ", failure.message()));
      next_message_nanos = now_nanos + kErrorPeriodNanos;
    }
    {
      absl::MutexLock lock(&mutex_);
      changed_.WaitWithTimeout(&mutex_, kRecheck);
    }
    written = options_.log->Append(records);
  }
}

std::optional<absl::Status> BlockGenerator::StoreWaiting(Pending& pending) {
  const StoreKey key = StoreKey::Block(options_.stream_id, pending.sequence);
  const int64_t begin_nanos = MonotonicNanos();
  int64_t next_message_nanos = begin_nanos + options_.full_store_nanos_max;
  while (true) {
    const StoreData copy = MustReplicate() ? pending.data : StoreData();
    const absl::Status stored = store_.Put(key, pending.data);
    if (stored.ok()) return Replicate(pending, copy);
    if (IsReleasedCall(pending)) return ReleasedError();
    const int64_t now_nanos = MonotonicNanos();
    if (GivesUp(pending, now_nanos - begin_nanos)) return stored;
    if (MustStay(pending)) return std::nullopt;
    if (pending.call != nullptr && !absl::IsResourceExhausted(stored)) return stored;
    if (now_nanos >= next_message_nanos) {
      callbacks_.on_error(
          absl::StrCat("nothing is received until there is room: ", stored.message()));
      next_message_nanos = now_nanos + kErrorPeriodNanos;
    }
    store_.AwaitRoom(kRoomRecheck);
  }
}

bool BlockGenerator::MustReplicate() const {
  return CopyCount(options_.storage_level) > 1 && options_.replicator != nullptr &&
         options_.replicator->has_peers();
}

absl::Status BlockGenerator::Replicate(Pending& pending, const StoreData& data) {
  if (data.buffers.empty()) return absl::OkStatus();
  const absl::StatusOr<BlockReplicator::Copy> replica =
      options_.replicator->Replicate(Describe(pending), data);
  if (absl::IsFailedPrecondition(replica.status())) return replica.status();
  absl::MutexLock lock(&mutex_);
  pending.replica = replica.value_or(BlockReplicator::Copy());
  const bool has_failed = !replica.ok();
  if (has_failed && !is_copying_told_) {
    callbacks_.on_error(absl::StrCat("blocks are stored on this worker alone for now: ",
                                     replica.status().message()));
  }
  is_copying_told_ = has_failed;
  return absl::OkStatus();
}

proto::StoredBlock BlockGenerator::Describe(const Pending& pending) const {
  proto::StoredBlock block;
  block.mutable_id()->set_stream_id(options_.stream_id);
  block.mutable_id()->set_sequence(pending.sequence);
  block.set_record_count(pending.record_count);
  block.set_size_bytes(static_cast<int64_t>(pending.size_bytes));
  block.set_cut_time_ms(pending.cut_time_ms);
  block.set_metadata(pending.metadata);
  block.set_replica(pending.replica.worker_id);
  if (pending.place.has_value()) {
    proto::LogPlace& place = *block.mutable_id()->mutable_place();
    place.set_directory(options_.log->directory());
    place.set_segment(pending.place->segment);
    place.set_offset(pending.place->offset);
    place.set_size_bytes(pending.place->size_bytes);
  }
  return block;
}

bool BlockGenerator::GivesUp(const Pending& pending, int64_t waited_nanos) const {
  absl::MutexLock lock(&mutex_);
  if (pending.call != nullptr) return waited_nanos >= options_.store_call_nanos_max;
  return finish_deadline_nanos_ > 0 && MonotonicNanos() >= finish_deadline_nanos_;
}

bool BlockGenerator::IsBeingStored(const StoreCall& call) const {
  auto pending = pending_.begin();
  for (size_t i = 0; i < storing_count_; ++i, ++pending) {
    if (pending->call == &call) return true;
  }
  return false;
}

bool BlockGenerator::IsReleasedCall(const Pending& pending) const {
  absl::MutexLock lock(&mutex_);
  return pending.call != nullptr && released_;
}

bool BlockGenerator::MustStay(const Pending& pending) const {
  absl::MutexLock lock(&mutex_);
  // The writer that stores it is wanted elsewhere; Finish will come back to it.
  return pending.call == nullptr && released_ && finish_deadline_nanos_ == 0;
}

void BlockGenerator::FinishNext(const absl::Status& stored) {
  Pending& next = pending_.front();
  if (stored.ok()) {
    *report_.add_blocks() = Describe(next);
    // Said without a replica, too: the driver lets no worker keep what may be anywhere.
    if (next.replica.may_be_elsewhere) {
      *report_.add_blocks() = Describe(next);
      report_.mutable_blocks()->rbegin()->clear_replica();
    }
  } else {
    given_up_bytes_ += static_cast<int64_t>(next.size_bytes);
    if (next.call == nullptr) {
      ++lost_blocks_;
      lost_records_ += std::max<int64_t>(0, next.record_count);
    }
  }
  if (next.call != nullptr) {
    next.call->done = true;
    next.call->status = stored;
  }
  pending_.pop_front();
  pending_count_.store(pending_.size(), std::memory_order_relaxed);
}

void BlockGenerator::PassBatchEnds() {
  while (storing_count_ == 0 && !pending_.empty() && pending_.front().batch_time_ms > 0) {
    report_.set_batch_time_ms(pending_.front().batch_time_ms);
    reports_.push_back(std::exchange(report_, {}));
    pending_.pop_front();
    pending_count_.store(pending_.size(), std::memory_order_relaxed);
  }
}

bool BlockGenerator::HasReports() const { return !reports_.empty() || report_.blocks_size() > 0; }

void BlockGenerator::Finish(int64_t timeout_nanos) {
  {
    absl::MutexLock lock(&mutex_);
    finish_deadline_nanos_ = MonotonicNanos() + std::max<int64_t>(1, timeout_nanos);
    CutLocked(/*now_ms=*/0);
  }
  while (true) {
    StorePending();
    absl::MutexLock lock(&mutex_);
    PassBatchEnds();
    if (pending_.empty()) {
      if (HasReports() && !std::exchange(told_, true)) callbacks_.on_reports();
      break;
    }
    changed_.WaitWithTimeout(&mutex_, kRecheck);
  }
  // Here, for it may have to wait for the disk.
  if (options_.log != nullptr) options_.log->Close();
  absl::MutexLock lock(&mutex_);
  if (lost_blocks_ == 0) return;
  callbacks_.on_error(absl::StrCat(std::exchange(lost_records_, 0), " records in ",
                                   std::exchange(lost_blocks_, 0),
                                   " blocks were lost: they could not be stored"));
}

}  // namespace millrace::internal
