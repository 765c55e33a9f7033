// A log outside the cluster that grows by itself and can be read again.
#ifndef MILLRACE_TESTS_SIM_GROWING_LOG_H_
#define MILLRACE_TESTS_SIM_GROWING_LOG_H_

#include <chrono>
#include <cstdint>
#include <vector>

#include "client/source/offset_source.h"

namespace millrace::sim {

// How much of it there is when a batch is made follows from the moment, so what the batch has
// does not follow from the batch's time. Its records are as a ReliableSource's: the partition in
// the place of the source, the offset in that of the number.
class GrowingLog final : public internal::OffsetSource {
 public:
  GrowingLog(uint64_t seed, int partitions) : seed_(seed), partitions_(partitions) {}

  absl::Status Start(std::chrono::milliseconds /*timeout*/) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<internal::PartitionOffsets>> Latest(
      std::chrono::milliseconds timeout) override;
  internal::SourcePartition Locate(const OffsetRange& range) override;

 private:
  const uint64_t seed_;
  const int partitions_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_GROWING_LOG_H_
