// Streams that read ranges of offsets of a source that keeps its records: no receiver, no blocks.
#ifndef MILLRACE_CLIENT_SOURCE_DIRECT_INPUT_NODE_H_
#define MILLRACE_CLIENT_SOURCE_DIRECT_INPUT_NODE_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/dstream/input_node.h"
#include "client/source/offset_limits.h"
#include "client/source/offset_source.h"

namespace millrace::internal {

// What a component brings along: a driver-side and a worker-side part, and its settings.
struct DirectSource {
  std::string kind;  // "Log direct": as in "Log direct stream [0]".
  std::unique_ptr<OffsetSource> offsets;
  // Leaf; binding: split, what OffsetSource::Locate said. Reads a range the same whenever it is
  // asked.
  OperatorRef read;
  const RecordTypeOperators* type = nullptr;
  OffsetLimits limits;  // But for the rate, which backpressure says.
};

// Each batch has a range of each partition: from where the batch before ended to the latest offset,
// or as far as the limits allow. Ranges are fixed when the batch is made, whether or not an output
// asks for the data set, and never change: tasks read and read again exactly these records. A batch
// without new records has empty ranges.
//
// A batch whose ranges cannot be fixed fails the outputs that need the stream and takes nothing;
// its records are in the next batch whose ranges can. It takes nothing either when a later driver
// makes it once more.
class DirectInputNode final : public InputNode {
 public:
  DirectInputNode(StreamGraph& graph, const Operation& operation, DirectSource source);

  absl::Status Start() override;
  std::shared_ptr<RateLimit> rate_limit() const override { return rate_limit_; }
  void LookOutside() override;
  void BeginBatch(Time batch_time, const std::vector<ReceivedBlock>& blocks) override;
  void ForgetBefore(Time batch_time) override;
  void ForgetAll() override;
  void Restart() override;
  bool is_replayable() const override { return true; }
  bool HasChosen(Time batch_time) const override;
  bool HasInput(Time batch_time) const override;
  std::optional<Time> NextInput(Time next) const override;
  void Save(proto::InputCheckpoint& to) const override;
  absl::Status Restore(const proto::InputCheckpoint& from) override;
  void PutOff(Time batch_time) override;

 private:
  struct Batch {
    OffsetRangesRef ranges;
    std::vector<SourcePartition> partitions;  // Where they are, one a range.
  };
  using TopicPartition = std::pair<std::string, int>;

  absl::StatusOr<RddRef> Compute(Time time) override;
  absl::StatusOr<Batch> FixRanges();
  void LocateAll(Batch& batch);
  // Takes in what LookOutside has found.
  absl::Status Learn();
  // Partitions do not go away or become shorter.
  absl::Status CheckHasNext(const std::map<TopicPartition, int64_t>& latest) const;
  void Report(Time batch_time, const OffsetRangesRef& ranges) const;
  RddRef MakeDataSet(const Batch& batch) const;

  const DirectSource source_;
  const std::shared_ptr<RateLimit> rate_limit_ = std::make_shared<RateLimit>();
  absl::StatusOr<std::vector<PartitionOffsets>> found_;  // By the LookOutside of this batch.
  std::map<TopicPartition, int64_t> latest_;
  std::map<TopicPartition, int64_t> next_;  // The first offset that no batch has.
  std::map<Time, Batch> batches_;
  std::optional<Time> earlier_until_;  // The latest batch that another driver made.
  // Why the latest batch has no ranges.
  Time failed_time_{0};
  absl::Status failure_;
};

StreamRef AddDirect(const Operation& operation, const std::shared_ptr<StreamGraph>& graph,
                    DirectSource source);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_SOURCE_DIRECT_INPUT_NODE_H_
