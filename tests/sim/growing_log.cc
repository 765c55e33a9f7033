#include "tests/sim/growing_log.h"

#include <random>

#include "common/record/codec.h"
#include "common/time/system_clock.h"
#include "tests/sim/reliable_source.h"

namespace millrace::sim {
namespace {

constexpr int64_t kRecordNanos = 100'000'000;
// Records come some at once, so that batches find nothing between.
constexpr int64_t kBurstNanos = 1'500'000'000;
constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;

}  // namespace

absl::StatusOr<std::vector<internal::PartitionOffsets>> GrowingLog::Latest(
    std::chrono::milliseconds /*timeout*/) {
  std::vector<internal::PartitionOffsets> offsets;
  for (int partition = 0; partition < partitions_; ++partition) {
    const int64_t burst_nanos = MonotonicNanos() / kBurstNanos * kBurstNanos;
    const int64_t latest = burst_nanos / (kRecordNanos * (partition + 1));
    offsets.push_back({.topic = "log", .partition = partition, .start = 0, .latest = latest});
  }
  return offsets;
}

internal::SourcePartition GrowingLog::Locate(const OffsetRange& range) {
  internal::Encoder encoder;
  for (int64_t offset = range.from_offset; offset < range.until_offset; ++offset) {
    std::mt19937_64 random(seed_ ^ (static_cast<uint64_t>(range.partition + 1) * kFactor) ^
                           static_cast<uint64_t>(offset));
    const SentRecord record{range.partition, offset, 1, RandomRecord(random)};
    internal::Encode(encoder, record.ToLine());
  }
  internal::SourcePartition partition;
  partition.split = encoder.ToString();
  return partition;
}

}  // namespace millrace::sim
