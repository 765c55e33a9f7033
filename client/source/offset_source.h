// What a direct stream asks of its source, on the driver. What a source needs besides is an
// operator that reads a range, in the tasks.
#ifndef MILLRACE_CLIENT_SOURCE_OFFSET_SOURCE_H_
#define MILLRACE_CLIENT_SOURCE_OFFSET_SOURCE_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "driver/lineage/offset_range.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

struct PartitionOffsets {
  std::string topic;
  int partition = 0;
  int64_t start = 0;           // Where a stream begins that has not read of the partition yet.
  int64_t latest = 0;          // One past the last record that can be read now, as far as is known.
  bool may_have_more = false;  // Not all was looked at: the end may lie behind `latest`.
};

// Threads: Start, then one call at a time, for each batch Latest and then Locate of its ranges.
// They run where batches are made, so a slow one delays its own stream's batches and holds no lock
// of the graph; what must happen once a batch (sending the offsets that a program has committed)
// can happen in Latest.
class OffsetSource {
 public:
  virtual ~OffsetSource() = default;

  // Finds out where the stream begins. An error is that of StreamingContext::Start.
  virtual absl::Status Start(std::chrono::milliseconds timeout) = 0;

  // All partitions there are, new ones too. Returns within about `timeout`; a source that cannot
  // know everything in that time may say less of `latest`. Unavailable and DeadlineExceeded: the
  // batch makes do with what an earlier call said. Any other error fails what the batch does with
  // the stream, and the next batch asks again; its records are not lost.
  virtual absl::StatusOr<std::vector<PartitionOffsets>> Latest(
      std::chrono::milliseconds timeout) = 0;

  // What the task gets that reads the range: a split, and hosts it had best run on. The range lies
  // within what Latest said, at or after those located before; or a batch of an earlier driver had
  // it, and the partition may be gone since: then it is the task that fails.
  virtual SourcePartition Locate(const OffsetRange& range) = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_SOURCE_OFFSET_SOURCE_H_
