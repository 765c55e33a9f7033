#include "executor/shuffle/map_output_writer.h"

#include <algorithm>
#include <optional>
#include <ranges>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/concurrent/thread_wait.h"
#include "common/env/peer_status.h"
#include "common/memory/compression.h"
#include "proto/peer.pb.h"

namespace millrace::internal {

// Shared with the calls, for they may end after the writer has given up.
class MapOutputWriter::CallsUnderWay {
 public:
  using Done = absl::AnyInvocable<void(const absl::Status&)>;

  explicit CallsUnderWay(const ShuffleRouter::Options& options)
      : bytes_max_(options.message_bytes * ShuffleRouter::kUnderWayMessagesMax),
        timeout_(absl::FromChrono(options.timeout)) {}

  // Returns when `bytes` more may go out. An error: one has failed, or none ends any more.
  absl::Status AwaitRoom(size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_) {
    return Await(bytes < bytes_max_ ? bytes_max_ - bytes : 0);
  }
  bool have_succeeded() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return count_ == 0 && error_.ok();
  }
  // Runs `done` when all have succeeded or one has failed; null: nothing is to be run any more.
  void WhenOver(Done done) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const absl::MutexLock lock(&mutex_);
      if (!is_over() || done == nullptr) {
        done_ = std::move(done);
        return;
      }
    }
    done(error());
  }

  void Begin(size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    bytes_ += bytes;
    ++count_;
  }
  void End(size_t bytes, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    Done done;
    {
      const absl::MutexLock lock(&mutex_);
      bytes_ -= bytes;
      --count_;
      ++ended_count_;
      if (error_.ok()) error_ = status;
      if (is_over()) done = std::exchange(done_, nullptr);
    }
    if (done != nullptr) done(error());
  }

 private:
  // Until no more than `bytes_max` are under way.
  absl::Status Await(size_t bytes_max) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    for (;;) {
      const int64_t ended_before = ended_count_;
      const auto has_changed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return !error_.ok() || ended_count_ != ended_before || bytes_ <= bytes_max;
      };
      if (!AwaitUnder(mutex_, absl::Condition(&has_changed), timeout_)) {
        return absl::UnavailableError(absl::StrCat("no worker that is sent map outputs has ",
                                                   "answered for ",
                                                   absl::FormatDuration(timeout_)));
      }
      RETURN_IF_ERROR(error_);
      if (bytes_ <= bytes_max) return absl::OkStatus();
    }
  }
  bool is_over() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return count_ == 0 || !error_.ok(); }
  absl::Status error() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return error_;
  }

  const size_t bytes_max_;
  const absl::Duration timeout_;
  mutable absl::Mutex mutex_;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t ended_count_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  Done done_ ABSL_GUARDED_BY(mutex_);
};

namespace {

// Less is not worth the while.
constexpr size_t kCompressedPieceBytesMin = 512;

// What is sent of it; `put` says how to read it.
Buffer PieceOf(proto::PutMapOutput& put, CompressionCodec codec, Buffer records) {
  if (codec == CompressionCodec::kNone) return records;
  put.set_codec(static_cast<uint32_t>(codec));
  std::optional<std::string> compressed;
  if (records.size() >= kCompressedPieceBytesMin) compressed = Compress(codec, records.view());
  put.add_plain_sizes(compressed.has_value() ? static_cast<uint32_t>(records.size()) : 0);
  return compressed.has_value() ? Buffer(*std::move(compressed)) : std::move(records);
}

}  // namespace

MapOutputWriter::MapOutputWriter(const ShuffleRouter& router, Output output)
    : router_(router), output_(std::move(output)) {
  if (output_.reduce_workers.empty()) {
    destinations_.push_back({.worker_id = router_.options().worker_id});
    return;
  }
  absl::flat_hash_map<int64_t, uint32_t> known;
  destination_of_.reserve(output_.reduce_workers.size());
  for (const int64_t worker_id : output_.reduce_workers) {
    const auto [place, is_new] =
        known.try_emplace(worker_id, static_cast<uint32_t>(destinations_.size()));
    if (is_new) destinations_.push_back({.worker_id = worker_id});
    destination_of_.push_back(place->second);
  }
}

MapOutputWriter::~MapOutputWriter() {
  if (calls_ != nullptr) calls_->WhenOver(nullptr);
  if (is_acknowledged()) return;
  for (const Destination& destination : destinations_) {
    if (destination.sent_count > 0) Abandon(destination);
  }
}

absl::Status MapOutputWriter::CheckPlaces() const {
  if (destination_of_.empty() || destination_of_.size() == output_.reduce_count) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("a map output of ", output_.reduce_count,
                                                 " buckets names ", destination_of_.size(),
                                                 " workers"));
}

MapOutputWriter::Destination& MapOutputWriter::DestinationOf(uint32_t reduce_partition) {
  return destinations_[destination_of_.empty() ? 0 : destination_of_[reduce_partition]];
}

absl::Status MapOutputWriter::Add(int reduce_partition, Buffer records) {
  RETURN_IF_ERROR(CheckPlaces());
  if (reduce_partition < 0 || static_cast<size_t>(reduce_partition) >= output_.reduce_count) {
    return absl::InvalidArgumentError(
        absl::StrCat("wrote to reduce partition ", reduce_partition, " of ", output_.reduce_count));
  }
  const auto partition = static_cast<uint32_t>(reduce_partition);
  Destination& destination = DestinationOf(partition);
  if (destination.waiting_bytes > 0 &&
      destination.waiting_bytes + records.size() > router_.options().message_bytes) {
    RETURN_IF_ERROR(Send(destination, /*is_last=*/false));
  }
  bytes_ += records.size();
  destination.waiting_bytes += records.size();
  destination.waiting.emplace_back(partition, std::move(records));
  return absl::OkStatus();
}

// Other workers' parts first: the own one is put in while they are on their way.
absl::Status MapOutputWriter::Finish() {
  RETURN_IF_ERROR(CheckPlaces());
  for (uint32_t partition = 0; partition < output_.reduce_count; ++partition) {
    DestinationOf(partition).waiting.emplace_back(partition, Buffer());
  }
  for (const bool is_here : {false, true}) {
    for (Destination& destination : destinations_) {
      if (IsHere(destination) != is_here) continue;
      RETURN_IF_ERROR(Send(destination, /*is_last=*/true));
    }
  }
  is_finished_ = true;
  return absl::OkStatus();
}

bool MapOutputWriter::is_acknowledged() const {
  return is_finished_ && (calls_ == nullptr || calls_->have_succeeded());
}

void MapOutputWriter::WhenAcknowledged(absl::AnyInvocable<void(const absl::Status&)> done) {
  if (calls_ == nullptr) return done(absl::OkStatus());
  calls_->WhenOver(std::move(done));
}

bool MapOutputWriter::IsHere(const Destination& destination) const {
  return output_.reduce_workers.empty() || destination.worker_id == router_.options().worker_id;
}

absl::Status MapOutputWriter::Send(Destination& destination, bool is_last) {
  MapOutput part;
  part.shuffle_id = output_.shuffle_id;
  part.map_partition = output_.map_partition;
  part.task_id = output_.task_id;
  part.sequence = destination.sent_count++;
  part.is_last = is_last;
  part.pieces = std::exchange(destination.waiting, {});
  destination.waiting_bytes = 0;
  if (is_last) {
    // The empty pieces, which name the partitions, are needed where no others do.
    const auto partition_of = [](const auto& piece) { return piece.first; };
    std::ranges::stable_sort(part.pieces, {}, partition_of);
    const auto repeated = std::unique(
        part.pieces.begin(), part.pieces.end(),
        [](const auto& a, const auto& b) { return a.first == b.first && b.second.empty(); });
    part.pieces.erase(repeated, part.pieces.end());
  }
  if (IsHere(destination)) return router_.store().Put(std::move(part));
  return SendToPeer(destination.worker_id, std::move(part));
}

absl::Status MapOutputWriter::SendToPeer(int64_t worker_id, MapOutput&& part) {
  if (router_.peers() == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("the task writes to worker ", worker_id, ", but this one knows no other"));
  }
  proto::PeerRequest request;
  proto::PutMapOutput& put = *request.mutable_put_map_output();
  put.set_shuffle_id(part.shuffle_id);
  put.set_map_partition(part.map_partition);
  put.set_task_id(part.task_id);
  put.set_sequence(part.sequence);
  put.set_is_last(part.is_last);
  size_t bytes = 0;
  std::vector<Buffer> pieces;
  pieces.reserve(part.pieces.size());
  const CompressionCodec codec = router_.CodecFor(worker_id);
  for (auto& [partition, records] : part.pieces) {
    put.add_reduce_partitions(partition);
    bytes += records.size();
    pieces.push_back(PieceOf(put, codec, std::move(records)));
  }
  if (calls_ == nullptr) calls_ = std::make_shared<CallsUnderWay>(router_.options());
  RETURN_IF_ERROR(calls_->AwaitRoom(bytes));
  calls_->Begin(bytes);
  router_.peers()->Put(
      worker_id, std::move(request), std::move(pieces),
      [calls = calls_, bytes, worker_id](const absl::StatusOr<proto::PeerReply>& reply) {
        calls->End(bytes, StatusOfPeer(reply, worker_id));
      });
  return absl::OkStatus();
}

// Where this does not arrive, the driver's drop of the shuffle will.
void MapOutputWriter::Abandon(const Destination& destination) {
  if (IsHere(destination)) {
    return router_.store().Abandon(output_.shuffle_id, output_.task_id);
  }
  if (router_.peers() == nullptr) return;
  proto::PeerRequest request;
  proto::AbandonMapOutput& abandon = *request.mutable_abandon_map_output();
  abandon.set_shuffle_id(output_.shuffle_id);
  abandon.set_task_id(output_.task_id);
  router_.peers()->Call(destination.worker_id, std::move(request),
                        [](const absl::StatusOr<proto::PeerReply>& /*reply*/) {});
}

}  // namespace millrace::internal
