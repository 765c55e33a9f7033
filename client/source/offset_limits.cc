#include "client/source/offset_limits.h"

#include <algorithm>
#include <cmath>

namespace millrace::internal {
namespace {

int64_t LagOf(const PartitionLag& partition) {
  return std::max<int64_t>(0, partition.latest - partition.from);
}

// Records a second, 0 for no limit.
double RateOf(const PartitionLag& partition, double total_lag, const OffsetLimits& limits) {
  if (limits.rate <= 0 || total_lag <= 0) return limits.max_rate_per_partition;
  const double share = static_cast<double>(LagOf(partition)) / total_lag * limits.rate;
  if (limits.max_rate_per_partition <= 0) return share;
  return std::min(share, limits.max_rate_per_partition);
}

}  // namespace

std::vector<int64_t> LimitOffsets(std::span<const PartitionLag> partitions,
                                  const OffsetLimits& limits, std::chrono::milliseconds interval) {
  double total_lag = 0;
  for (const PartitionLag& partition : partitions) {
    total_lag += static_cast<double>(LagOf(partition));
  }
  const bool is_limited = limits.max_rate_per_partition > 0 || (limits.rate > 0 && total_lag > 0);
  const double seconds = std::chrono::duration<double>(interval).count();
  std::vector<int64_t> until;
  for (const PartitionLag& partition : partitions) {
    int64_t records = LagOf(partition);
    if (is_limited) {
      const double allowed = std::floor(seconds * RateOf(partition, total_lag, limits));
      // Compared as doubles first: a rate may be beyond all integers.
      if (allowed < static_cast<double>(records)) {
        records =
            std::min(records, std::max(static_cast<int64_t>(allowed), limits.min_per_partition));
      }
    }
    until.push_back(partition.from + records);
  }
  return until;
}

}  // namespace millrace::internal
