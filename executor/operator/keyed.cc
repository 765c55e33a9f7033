#include "executor/operator/keyed.h"

namespace millrace::internal {

size_t ShuffleBuckets::BucketCount(TaskNode& node) {
  const int count = node.reduce_count();
  return count > 0 ? static_cast<size_t>(count) : 1;
}

bool ShuffleBuckets::HandOver() {
  for (size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i].empty()) continue;
    const absl::Status status = node_.WriteBucket(static_cast<int>(i), buckets_[i].TakeBuffer());
    if (!status.ok()) return node_.task().Fail(status);
  }
  return true;
}

}  // namespace millrace::internal
