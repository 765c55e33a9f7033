#include "client/rdd/actions.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace millrace::internal {
namespace {

constexpr int kTakeGrowth = 4;

}  // namespace

absl::Status CorruptResult(const std::string& label) {
  return absl::DataLossError(absl::StrCat(label, ": a task's result cannot be decoded"));
}

absl::Status EmptyDataSet(const std::string& label) {
  return absl::NotFoundError(absl::StrCat(label, ": the data set is empty"));
}

TakeRounds::TakeRounds(const RddBase& rdd)
    : num_partitions_(rdd.NumPartitions()),
      width_(rdd ? std::max(1, rdd.context()->default_parallelism) : 1) {}

std::vector<int> TakeRounds::Next() {
  std::vector<int> partitions(static_cast<size_t>(std::min(width_, num_partitions_ - next_)));
  std::iota(partitions.begin(), partitions.end(), next_);
  next_ += static_cast<int>(partitions.size());
  width_ = std::min(width_, num_partitions_) * kTakeGrowth;
  return partitions;
}

std::vector<int> PartitionsOfKey(const RddBase& rdd, uint64_t key_hash) {
  const int count = rdd.NumPartitions();
  if (count > 0 && IsPartitionedBy(rdd.node(), *HashPartitionerSpec(count))) {
    return {HashPartition()(key_hash, 0, count)};
  }
  std::vector<int> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace millrace::internal
