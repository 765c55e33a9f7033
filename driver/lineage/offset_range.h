// Which records of a source with offsets a batch has, as plain data: it decides what a batch is, so
// whoever logs batches logs this.
#ifndef MILLRACE_DRIVER_LINEAGE_OFFSET_RANGE_H_
#define MILLRACE_DRIVER_LINEAGE_OFFSET_RANGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace {

// The records of one partition with offsets in [from_offset, until_offset): maybe none.
struct OffsetRange {
  std::string topic;  // Of the source: a topic of Kafka, the directory of a log.
  int partition = 0;
  int64_t from_offset = 0;
  int64_t until_offset = 0;

  int64_t count() const { return until_offset - from_offset; }

  friend bool operator==(const OffsetRange&, const OffsetRange&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(topic, partition, from_offset, until_offset);
  }
};

// "topic: clicks, partition: 0, offsets: 10 to 20"
std::string ToString(const OffsetRange& range);

namespace internal {

// The ranges of one stream in one batch, in the order of topics and partitions.
using OffsetRangesRef = std::shared_ptr<const std::vector<OffsetRange>>;

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_DRIVER_LINEAGE_OFFSET_RANGE_H_
