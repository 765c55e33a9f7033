#include "executor/shuffle/shuffle_store.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/base/annotate_status.h"
#include "common/base/mistake.h"
#include "common/base/status_macros.h"

namespace millrace::internal {

namespace {

// More than any shuffle has.
constexpr uint32_t kPartitionsMax = 1u << 20;

constexpr auto kPartitionOf = [](const auto& piece) { return piece.first; };

absl::Status Check(const MapOutput& output) {
  bool ok = output.map_partition < kPartitionsMax;
  for (const auto& [reduce_partition, bytes] : output.pieces) {
    ok = ok && reduce_partition < kPartitionsMax;
  }
  if (!ok) {
    return absl::InvalidArgumentError(absl::StrCat(
        "shuffle ", output.shuffle_id, " has a partition number of ", kPartitionsMax, " or more"));
  }
  if (output.is_last && !std::ranges::is_sorted(output.pieces, {}, kPartitionOf)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a map output of shuffle ", output.shuffle_id, " is not in order"));
  }
  return absl::OkStatus();
}

}  // namespace

ShuffleStore::~ShuffleStore() {
  absl::MutexLock lock(&mutex_);
  for (auto& [id, shuffle] : shuffles_) Release(shuffle);
}

absl::Status ShuffleStore::Put(MapOutput&& output) {
  RETURN_IF_ERROR(Check(output));
  // Where no reduce partition gathers, nobody would drop the shuffle.
  if (output.pieces.empty()) return absl::OkStatus();
  size_t bytes = 0;
  for (const auto& piece : output.pieces) bytes += piece.second.size();
  Pieces pieces;
  pieces.reserve(output.pieces.size());
  if (Reserve(bytes)) {
    for (auto& [partition, records] : output.pieces) {
      pieces.emplace_back(partition, Piece{.bytes = std::move(records)});
    }
    absl::Status inserted = Insert(output, std::move(pieces), "");
    if (!inserted.ok()) budget_.Release(bytes);
    return inserted;
  }
  std::vector<Buffer> chunks;
  chunks.reserve(output.pieces.size());
  for (const auto& [partition, records] : output.pieces) {
    pieces.emplace_back(partition, Piece{.spill_chunk = static_cast<uint32_t>(chunks.size()),
                                         .spill_file = records.empty() ? -1 : 0});
    chunks.push_back(records);
  }
  const std::string name =
      absl::StrCat("shuffle ", output.shuffle_id, " map ", output.map_partition);
  absl::StatusOr<std::string> file = disk_.Write(name, chunks);
  if (!file.ok()) return AnnotateStatus(file.status(), name);
  absl::Status inserted = Insert(output, std::move(pieces), *file);
  if (!inserted.ok()) disk_.Discard(*std::move(file));
  return inserted;
}

bool ShuffleStore::Reserve(size_t bytes) {
  return budget_.TryReserve(bytes) || (blocks_.MakeRoom(bytes) && budget_.TryReserve(bytes));
}

absl::Status ShuffleStore::CheckExpected(const MapOutput& output) const {
  const bool was_dropped =
      std::abs(output.shuffle_id) < dropped_below_ || dropped_.Contains(output.shuffle_id);
  if (was_dropped && !IsMade(Mistake::kLateMapOutputsKept)) {
    return absl::FailedPreconditionError(
        absl::StrCat("shuffle ", output.shuffle_id, " was dropped"));
  }
  uint32_t expected = 0;
  if (const auto shuffle = shuffles_.find(output.shuffle_id); shuffle != shuffles_.end()) {
    const auto attempt = shuffle->second.attempts.find(output.task_id);
    if (attempt != shuffle->second.attempts.end()) {
      expected = attempt->second.map_partition == output.map_partition
                     ? attempt->second.next_sequence
                     : UINT32_MAX;
    }
  }
  if (output.sequence == expected) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("part ", output.sequence, " of map output ",
                                          output.map_partition, " of shuffle ", output.shuffle_id,
                                          " came out of turn"));
}

absl::Status ShuffleStore::Insert(const MapOutput& output, Pieces pieces, std::string file) {
  absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(CheckExpected(output));
  Shuffle& shuffle = shuffles_[output.shuffle_id];
  for (auto& [partition, piece] : pieces) {
    shuffle.memory_bytes += piece.bytes.size();
    if (piece.spill_file >= 0) piece.spill_file = static_cast<int32_t>(shuffle.spill_files.size());
  }
  if (!file.empty()) shuffle.spill_files.push_back(std::move(file));
  if (output.is_last) {
    Commit(shuffle, output, std::move(pieces));
    return absl::OkStatus();
  }
  Attempt& attempt = shuffle.attempts[output.task_id];
  attempt.map_partition = output.map_partition;
  ++attempt.next_sequence;
  std::ranges::move(pieces, std::back_inserter(attempt.pieces));
  return absl::OkStatus();
}

void ShuffleStore::Commit(Shuffle& shuffle, const MapOutput& last, Pieces pieces) {
  Pieces all;
  if (auto attempt = shuffle.attempts.extract(last.task_id)) {
    all = std::move(attempt.mapped().pieces);
  }
  if (IsMade(Mistake::kFailedAttemptsCounted)) {
    for (const auto& [task_id, attempt] : shuffle.attempts) {
      if (attempt.map_partition != last.map_partition) continue;
      all.insert(all.end(), attempt.pieces.begin(), attempt.pieces.end());
    }
  }
  std::ranges::stable_sort(all, {}, kPartitionOf);
  // Both are in order of partitions; for each of the last part's, the earlier pieces go first.
  size_t unclaimed_bytes = 0;
  auto earlier = all.begin();
  for (auto piece = pieces.begin(); piece != pieces.end();) {
    const uint32_t partition = piece->first;
    Bucket* const bucket = Claim(shuffle, {last.shuffle_id, partition}, last.map_partition);
    const auto take = [&](auto& from, auto end) {
      for (; from != end && from->first <= partition; ++from) {
        Piece& taken = from->second;
        if (bucket == nullptr || from->first != partition) {
          unclaimed_bytes += taken.bytes.size();
        } else if (!taken.bytes.empty() || taken.spill_file >= 0) {
          bucket->push_back(std::move(taken));
        }
      }
    };
    take(earlier, all.end());
    take(piece, pieces.end());
  }
  for (; earlier != all.end(); ++earlier) unclaimed_bytes += earlier->second.bytes.size();
  Forget(shuffle, unclaimed_bytes);
}

void ShuffleStore::Abandon(int64_t shuffle_id, int64_t task_id) {
  absl::MutexLock lock(&mutex_);
  const auto shuffle = shuffles_.find(shuffle_id);
  if (shuffle == shuffles_.end()) return;
  const auto attempt = shuffle->second.attempts.extract(task_id);
  if (attempt.empty()) return;
  size_t bytes = 0;
  for (const auto& piece : attempt.mapped().pieces) bytes += piece.second.bytes.size();
  Forget(shuffle->second, bytes);
}

ShuffleStore::Bucket* ShuffleStore::Claim(Shuffle& shuffle, const ReduceKey& key,
                                          uint32_t map_partition) {
  ReducePartition& partition = shuffle.partitions[key.partition];
  const auto [bucket, is_new] = partition.buckets.try_emplace(map_partition);
  if (!is_new && !IsMade(Mistake::kRepeatedMapOutputsCounted)) return nullptr;
  if (++partition.present_count == partition.expected_count) ready_.push_back(key);
  return &bucket->second;
}

bool ShuffleStore::ReadyOrExpect(const ReduceKey& key, uint32_t map_count) {
  if (map_count == 0) return true;
  if (key.partition >= kPartitionsMax) return true;  // Its task fails when it reads.
  absl::MutexLock lock(&mutex_);
  ReducePartition& partition = shuffles_[key.shuffle_id].partitions[key.partition];
  if (partition.present_count >= map_count) return true;
  partition.expected_count = map_count;
  return false;
}

bool ShuffleStore::has_ready() const {
  absl::MutexLock lock(&mutex_);
  return !ready_.empty();
}

std::vector<ReduceKey> ShuffleStore::TakeReady() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(ready_, {});
}

absl::StatusOr<std::vector<Buffer>> ShuffleStore::Read(const ReduceKey& key, uint32_t map_count) {
  std::vector<Buffer> buffers;
  // Those on disk: where they go in `buffers`, the file, the place in it.
  struct OnDisk {
    size_t position;
    std::string file;
    uint32_t chunk;
  };
  std::vector<OnDisk> on_disk;
  if (map_count == 0) return buffers;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = shuffles_.find(key.shuffle_id);
    const ReducePartition* partition = nullptr;
    if (found != shuffles_.end()) {
      const auto reduced = found->second.partitions.find(key.partition);
      if (reduced != found->second.partitions.end()) partition = &reduced->second;
    }
    const uint32_t present_count = partition == nullptr ? 0 : partition->present_count;
    if (present_count < map_count) {
      return absl::NotFoundError(absl::StrCat("reduce partition ", key.partition, " of shuffle ",
                                              key.shuffle_id, " has ", present_count, " of ",
                                              map_count, " map outputs on this worker"));
    }
    buffers.reserve(map_count);
    for (const auto& [map_partition, bucket] : partition->buckets) {
      for (const Piece& piece : bucket) {
        if (piece.spill_file >= 0) {
          const auto file = static_cast<size_t>(piece.spill_file);
          on_disk.push_back({buffers.size(), found->second.spill_files[file], piece.spill_chunk});
        }
        buffers.push_back(piece.bytes);
      }
    }
  }
  for (const OnDisk& piece : on_disk) {
    ASSIGN_OR_RETURN(buffers[piece.position], disk_.ReadChunk(piece.file, piece.chunk));
  }
  return buffers;
}

void ShuffleStore::Drop(int64_t shuffle_id) {
  absl::MutexLock lock(&mutex_);
  dropped_.Add(shuffle_id);
  const auto it = shuffles_.find(shuffle_id);
  if (it == shuffles_.end()) return;
  Release(it->second);
  shuffles_.erase(it);
}

void ShuffleStore::DropBelow(int64_t shuffle_id) {
  absl::MutexLock lock(&mutex_);
  dropped_below_ = std::max(dropped_below_, shuffle_id);
  for (auto shuffle = shuffles_.begin(); shuffle != shuffles_.end();) {
    const auto it = shuffle++;
    if (std::abs(it->first) >= shuffle_id) continue;
    Release(it->second);
    shuffles_.erase(it);
  }
  std::erase_if(ready_,
                [&](const ReduceKey& key) { return std::abs(key.shuffle_id) < shuffle_id; });
}

void ShuffleStore::Forget(Shuffle& shuffle, size_t memory_bytes) {
  shuffle.memory_bytes -= memory_bytes;
  budget_.Release(memory_bytes);
}

void ShuffleStore::Release(Shuffle& shuffle) {
  budget_.Release(shuffle.memory_bytes);
  for (std::string& file : shuffle.spill_files) disk_.Discard(std::move(file));
}

size_t ShuffleStore::shuffle_count() const {
  absl::MutexLock lock(&mutex_);
  return shuffles_.size();
}

}  // namespace millrace::internal
