#include "executor/shuffle/shuffle_store.h"

#include "absl/strings/str_cat.h"
#include "common/base/annotate_status.h"
#include "common/base/mistake.h"
#include "common/base/status_macros.h"

namespace millrace::internal {

namespace {

// Indices come from messages: no table may grow by a wrong one.
constexpr uint32_t kPartitionsMax = 1u << 20;

absl::Status Check(const MapOutput& output) {
  bool ok = output.map_partition < kPartitionsMax;
  for (const auto& [reduce_partition, bytes] : output.buckets) {
    ok = ok && reduce_partition < kPartitionsMax;
  }
  if (ok) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "shuffle ", output.shuffle_id, " has a partition number of ", kPartitionsMax, " or more"));
}

size_t TotalBytes(const MapOutput& output) {
  size_t bytes = 0;
  for (const auto& bucket : output.buckets) bytes += bucket.second.size();
  return bytes;
}

}  // namespace

ShuffleStore::~ShuffleStore() {
  absl::MutexLock lock(&mutex_);
  for (auto& [id, shuffle] : shuffles_) Release(shuffle);
}

absl::Status ShuffleStore::Put(MapOutput output) {
  RETURN_IF_ERROR(Check(output));
  // Where no reduce partition gathers, nobody would drop the shuffle.
  if (output.buckets.empty()) return absl::OkStatus();
  const size_t bytes = TotalBytes(output);
  if (Reserve(bytes)) return InsertInMemory(std::move(output), bytes);
  std::vector<Buffer> chunks;
  chunks.reserve(output.buckets.size());
  for (const auto& bucket : output.buckets) chunks.push_back(bucket.second);
  const std::string name =
      absl::StrCat("shuffle ", output.shuffle_id, " map ", output.map_partition);
  absl::StatusOr<std::string> file = disk_.Write(name, chunks);
  if (!file.ok()) return AnnotateStatus(file.status(), name);
  return InsertOnDisk(output, *std::move(file));
}

bool ShuffleStore::Reserve(size_t bytes) {
  return budget_.TryReserve(bytes) || (blocks_.MakeRoom(bytes) && budget_.TryReserve(bytes));
}

absl::Status ShuffleStore::CheckNotDropped(int64_t shuffle_id) const {
  if (!dropped_.Contains(shuffle_id) || IsMade(Mistake::kLateMapOutputsKept)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("shuffle ", shuffle_id, " was dropped"));
}

absl::Status ShuffleStore::InsertInMemory(MapOutput&& output, size_t reserved_bytes) {
  size_t used_bytes = 0;
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckNotDropped(output.shuffle_id); !status.ok()) {
    budget_.Release(reserved_bytes);
    return status;
  }
  for (auto& [reduce_partition, bytes] : output.buckets) {
    Bucket* const bucket = Claim(output, reduce_partition);
    if (bucket == nullptr) continue;
    used_bytes += bytes.size();
    bucket->bytes = std::move(bytes);
  }
  shuffles_[output.shuffle_id].memory_bytes += used_bytes;
  budget_.Release(reserved_bytes - used_bytes);
  return absl::OkStatus();
}

absl::Status ShuffleStore::InsertOnDisk(const MapOutput& output, std::string file) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = CheckNotDropped(output.shuffle_id); !status.ok()) {
    disk_.Discard(std::move(file));
    return status;
  }
  std::vector<std::string>& files = shuffles_[output.shuffle_id].spill_files;
  const auto file_index = static_cast<int32_t>(files.size());
  files.push_back(std::move(file));
  for (size_t i = 0; i < output.buckets.size(); ++i) {
    Bucket* const bucket = Claim(output, output.buckets[i].first);
    if (bucket == nullptr || output.buckets[i].second.empty()) continue;
    bucket->spill_chunk = static_cast<uint32_t>(i);
    bucket->spill_file = file_index;
  }
  return absl::OkStatus();
}

ShuffleStore::Bucket* ShuffleStore::Claim(const MapOutput& output, uint32_t reduce_partition) {
  Shuffle& shuffle = shuffles_[output.shuffle_id];
  if (shuffle.partitions.size() <= reduce_partition) {
    shuffle.partitions.resize(size_t{reduce_partition} + 1);
  }
  ReducePartition& partition = shuffle.partitions[reduce_partition];
  if (partition.buckets.size() <= output.map_partition) {
    partition.buckets.resize(size_t{output.map_partition} + 1);
  }
  Bucket& bucket = partition.buckets[output.map_partition];
  if (bucket.present && !IsMade(Mistake::kRepeatedMapOutputsCounted)) return nullptr;
  bucket.present = true;
  if (++partition.present_count == partition.expected_count) {
    ready_.push_back({output.shuffle_id, reduce_partition});
  }
  return &bucket;
}

bool ShuffleStore::ReadyOrExpect(const ReduceKey& key, uint32_t map_count) {
  if (map_count == 0) return true;
  if (key.partition >= kPartitionsMax) return true;  // Its task fails when it reads.
  absl::MutexLock lock(&mutex_);
  Shuffle& shuffle = shuffles_[key.shuffle_id];
  if (shuffle.partitions.size() <= key.partition) {
    shuffle.partitions.resize(size_t{key.partition} + 1);
  }
  ReducePartition& partition = shuffle.partitions[key.partition];
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
    const ReducePartition* partition =
        found == shuffles_.end() || found->second.partitions.size() <= key.partition
            ? nullptr
            : &found->second.partitions[key.partition];
    const uint32_t present_count = partition == nullptr ? 0 : partition->present_count;
    if (present_count < map_count) {
      return absl::NotFoundError(absl::StrCat("reduce partition ", key.partition, " of shuffle ",
                                              key.shuffle_id, " has ", present_count, " of ",
                                              map_count, " map outputs on this worker"));
    }
    buffers.reserve(map_count);
    for (const Bucket& bucket : partition->buckets) {
      if (bucket.spill_file >= 0) {
        const auto file = static_cast<size_t>(bucket.spill_file);
        on_disk.push_back({buffers.size(), found->second.spill_files[file], bucket.spill_chunk});
        buffers.emplace_back();
      } else if (!bucket.bytes.empty()) {
        buffers.push_back(bucket.bytes);
      }
    }
  }
  for (const OnDisk& bucket : on_disk) {
    ASSIGN_OR_RETURN(buffers[bucket.position], disk_.ReadChunk(bucket.file, bucket.chunk));
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

void ShuffleStore::Release(Shuffle& shuffle) {
  budget_.Release(shuffle.memory_bytes);
  for (std::string& file : shuffle.spill_files) disk_.Discard(std::move(file));
}

size_t ShuffleStore::shuffle_count() const {
  absl::MutexLock lock(&mutex_);
  return shuffles_.size();
}

}  // namespace millrace::internal
