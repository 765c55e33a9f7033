#include "executor/operator/keyed.h"

namespace millrace::internal {

size_t ShuffleBuckets::BucketCount(TaskNode& node) {
  const int count = node.reduce_count();
  return count > 0 ? static_cast<size_t>(count) : 1;
}

void ShuffleBuckets::HandOverPiece(int partition) {
  Encoder& bucket = buckets_[static_cast<size_t>(partition)];
  const absl::Status written = node_.WriteShuffle(partition, bucket.TakeBuffer());
  if (!written.ok()) node_.task().Fail(written);
  // More is to be expected, so it need not grow once more.
  bucket.Reserve(piece_bytes_ + piece_bytes_ / 8);
}

bool ShuffleBuckets::HandOver() {
  for (size_t i = 0; i < buckets_.size() && !failed(); ++i) {
    if (buckets_[i].empty()) continue;
    const absl::Status written = node_.WriteShuffle(static_cast<int>(i), buckets_[i].TakeBuffer());
    if (!written.ok()) node_.task().Fail(written);
  }
  return !failed();
}

}  // namespace millrace::internal
