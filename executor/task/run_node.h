// A task's node: the services that its operator gets from the worker.
#ifndef MILLRACE_EXECUTOR_TASK_RUN_NODE_H_
#define MILLRACE_EXECUTOR_TASK_RUN_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/memory/buffer.h"
#include "executor/task/stage_plan.h"
#include "executor/task/task_node.h"
#include "proto/plan.pb.h"

namespace millrace::internal {

class TaskRun;

// A plan node in the tree of one task: where two operators read one node, it stands there twice.
class RunNode final : public TaskNode {
 public:
  RunNode(TaskRun& run, const ParsedPlan::Node& node, uint32_t plan_index,
          const proto::Binding* binding);

  uint32_t plan_index() const { return plan_index_; }
  const proto::Binding* binding() const { return binding_; }
  void AddInput(RunNode& input) { inputs_.push_back(&input); }
  bool Compute(AnySink* out) { return operator_->Compute(*this, out); }

  absl::StatusOr<std::vector<Buffer>> Blocks() override;
  absl::StatusOr<std::string_view> Split() override;
  absl::StatusOr<std::vector<Buffer>> ShuffleBuckets() override;
  absl::Status WriteShuffle(int reduce_partition, Buffer records) override;
  int reduce_count() override;
  size_t shuffle_piece_bytes() override;
  std::string_view output_path() override;
  absl::StatusOr<std::vector<Buffer>> ReadCached() override;
  absl::Status WriteCached(std::vector<Buffer> chunks, int64_t record_count) override;
  absl::StatusOr<StatePartition*> State(
      const std::function<std::unique_ptr<StatePartition>()>& make) override;
  int64_t state_batch_time_ms() override;
  SnapshotOrder snapshot_order() override;
  bool restores_state() override;

 private:
  // Fails when the node's binding is of another kind.
  absl::Status Expect(proto::Binding::KindCase kind, std::string_view wanted) const;
  absl::Status Keep(const proto::CachedBinding& place, std::vector<Buffer> chunks,
                    int64_t record_count);
  // From where it is held or, when it is gone from there, from the log that has it.
  absl::StatusOr<std::vector<Buffer>> Block(const proto::BlockId& id);
  // From this worker or, where the binding says so, from another one.
  absl::StatusOr<std::vector<Buffer>> HeldBlock(const proto::BlockId& id);
  absl::StatusOr<std::vector<Buffer>> Cached(const proto::CachedBinding& place);
  absl::StatusOr<std::vector<Buffer>> Buckets(const proto::ShuffleBinding& shuffle);
  void Pin(const std::vector<Buffer>& buffers);

  TaskRun& run_;
  const uint32_t plan_index_;
  const proto::Binding* const binding_;  // nullptr: needs none.
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_TASK_RUN_NODE_H_
