#include "executor/block/replica_book.h"

#include "absl/strings/str_cat.h"

namespace millrace::internal {

absl::Status ReplicaBook::Add(int64_t receiving_worker, proto::StoredBlock block) {
  const Key key(block.id().stream_id(), block.id().sequence());
  const absl::MutexLock lock(&mutex_);
  if (given_up_.contains(receiving_worker)) {
    return absl::FailedPreconditionError(
        absl::StrCat("worker ", receiving_worker, " was given up"));
  }
  if (suspended_.contains(receiving_worker)) {
    return absl::UnavailableError(
        absl::StrCat("the driver has not said yet whether worker ", receiving_worker, " is its"));
  }
  const auto dropped = dropped_.find(key.first);
  if (dropped != dropped_.end() && dropped->second.Contains(key.second)) {
    return absl::NotFoundError(
        absl::StrCat("block ", key.second, " of stream ", key.first, " was dropped"));
  }
  receiving_workers_[key] = receiving_worker;
  blocks_[key] = std::move(block);
  return absl::OkStatus();
}

void ReplicaBook::Remove(const proto::DropBlocks& dropped) {
  const absl::MutexLock lock(&mutex_);
  for (const proto::BlockId& id : dropped.blocks()) {
    const Key key(id.stream_id(), id.sequence());
    dropped_[key.first].Add(key.second);
    if (receiving_workers_.erase(key) > 0) blocks_.erase(key);
  }
}

std::vector<proto::BlockReport> ReplicaBook::GiveUp(int64_t receiving_worker) {
  const absl::MutexLock lock(&mutex_);
  given_up_.insert(receiving_worker);
  return TakeOut(receiving_worker);
}

std::vector<proto::BlockReport> ReplicaBook::Suspend(int64_t receiving_worker) {
  const absl::MutexLock lock(&mutex_);
  suspended_.insert(receiving_worker);
  return TakeOut(receiving_worker);
}

std::vector<proto::BlockReport> ReplicaBook::TakeOut(int64_t receiving_worker) {
  std::vector<proto::BlockReport> reports;
  for (auto block = blocks_.begin(); block != blocks_.end();) {
    const auto [stream_id, sequence] = block->first;
    if (receiving_workers_.at(block->first) != receiving_worker) {
      ++block;
      continue;
    }
    if (reports.empty() || reports.back().stream_id() != stream_id) {
      reports.emplace_back().set_stream_id(stream_id);
    }
    *reports.back().add_blocks() = std::move(block->second);
    receiving_workers_.erase(block->first);
    block = blocks_.erase(block);
  }
  return reports;
}

void ReplicaBook::TakeBack(int64_t receiving_worker) {
  const absl::MutexLock lock(&mutex_);
  given_up_.erase(receiving_worker);
  suspended_.erase(receiving_worker);
}

std::vector<proto::StoredBlock> ReplicaBook::blocks() const {
  std::vector<proto::StoredBlock> blocks;
  const absl::MutexLock lock(&mutex_);
  blocks.reserve(blocks_.size());
  for (const auto& [key, block] : blocks_) blocks.push_back(block);
  return blocks;
}

}  // namespace millrace::internal
