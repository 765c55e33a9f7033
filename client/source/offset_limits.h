// How many records a batch takes of each partition.
#ifndef MILLRACE_CLIENT_SOURCE_OFFSET_LIMITS_H_
#define MILLRACE_CLIENT_SOURCE_OFFSET_LIMITS_H_

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace millrace::internal {

struct OffsetLimits {
  double rate = 0;                    // Records a second of the whole stream; 0: no limit.
  double max_rate_per_partition = 0;  // Records a second; 0: no limit.
  // Records a batch that are taken of a partition whatever the other two say.
  int64_t min_per_partition = 1;
};

// What a partition has for the next batch: offsets [from, latest).
struct PartitionLag {
  int64_t from = 0;
  int64_t latest = 0;
};

// Where the batch's range of each partition ends, between its `from` and its `latest`. The rate is
// shared out by lag, capped for each partition, multiplied by the interval and rounded down:
//
//   records = max(floor(interval * min(rate * lag / sum of lags, max_rate)), min_per_partition)
//
// Without a rate, or with no lag to share it by, the cap counts alone; without either there is no
// limit. Source: DirectKafkaInputDStream of Spark Streaming (maxMessagesPerPartition, clamp).
std::vector<int64_t> LimitOffsets(std::span<const PartitionLag> partitions,
                                  const OffsetLimits& limits, std::chrono::milliseconds interval);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_SOURCE_OFFSET_LIMITS_H_
