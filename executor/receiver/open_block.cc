#include "executor/receiver/open_block.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace millrace::internal {

absl::Span<char> OpenBlock::Room(size_t bytes_min) {
  if (capacity_ - filled_ < bytes_min && !StartedOver(bytes_min)) MoveToNewSlab(bytes_min);
  return {data_ + filled_, capacity_ - filled_};
}

std::string_view OpenBlock::pending() const { return {data_ + published_, filled_ - published_}; }

bool OpenBlock::StartedOver(size_t bytes_min) {
  if (filled_ != published_ || capacity_ < bytes_min) return false;
  absl::MutexLock lock(&mutex_);
  if (begin_ != end_ || !slab_.unshared()) return false;
  begin_ = end_ = published_ = filled_ = 0;
  return true;
}

void OpenBlock::MoveToNewSlab(size_t bytes_min) {
  const std::string_view moved = pending();
  // Twice the pending bytes, so that a long line is not copied for every read.
  Slab slab(std::max(slab_bytes_, 2 * moved.size() + bytes_min));
  if (!moved.empty()) std::memcpy(slab.data(), moved.data(), moved.size());
  data_ = slab.data();
  capacity_ = slab.capacity();
  published_ = 0;
  filled_ = moved.size();

  absl::MutexLock lock(&mutex_);
  ClosePiece();
  slab_ = std::move(slab);
  begin_ = end_ = 0;
}

void OpenBlock::ClosePiece() {
  if (begin_ == end_) return;
  open_.pieces.push_back(slab_.Slice(begin_, end_ - begin_));
  begin_ = end_;
}

size_t OpenBlock::Publish(size_t bytes, int64_t records) {
  CHECK_LE(bytes, filled_ - published_);
  published_ += bytes;
  absl::MutexLock lock(&mutex_);
  end_ += bytes;
  open_.size_bytes += bytes;
  open_.record_count += records;
  return open_.size_bytes;
}

void OpenBlock::Skip(size_t bytes) {
  CHECK_LE(bytes, filled_ - published_);
  published_ += bytes;
  absl::MutexLock lock(&mutex_);
  ClosePiece();
  begin_ = end_ = published_;
}

BlockContent OpenBlock::Cut() {
  absl::MutexLock lock(&mutex_);
  ClosePiece();
  return std::exchange(open_, {});
}

size_t OpenBlock::size_bytes() const {
  absl::MutexLock lock(&mutex_);
  return open_.size_bytes;
}

}  // namespace millrace::internal
