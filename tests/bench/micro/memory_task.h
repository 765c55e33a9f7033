// A task without a worker: runs operators over bytes in memory, so that what is measured is the
// operators.
#ifndef MILLRACE_TESTS_BENCH_MICRO_MEMORY_TASK_H_
#define MILLRACE_TESTS_BENCH_MICRO_MEMORY_TASK_H_

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "executor/operator/operator_base.h"
#include "executor/task/task_node.h"

namespace millrace::bench {

class MemoryTask final : public internal::TaskContext {
 public:
  bool cancelled() const override { return false; }
  std::shared_ptr<const std::string> Broadcast(int64_t /*broadcast_id*/) override {
    return nullptr;
  }
  FileSystem& fs() override { std::abort(); }
};

// A plan node. Blocks and shuffle buckets are the same bytes: what the leaf reads. Buckets that a
// shuffle write hands over are kept.
class MemoryNode final : public internal::TaskNode {
 public:
  MemoryNode(MemoryTask& task, const internal::Operator& op, std::vector<TaskNode*> inputs,
             std::string params = "") {
    task_ = &task;
    operator_ = &op;
    inputs_ = std::move(inputs);
    owned_params_ = std::move(params);
    params_ = owned_params_;
    label_ = "bench";
  }

  bool Run() {
    const internal::OperatorScope scope(*this, 0);
    return operator_->Compute(*this, nullptr);
  }

  std::vector<Buffer> read;
  std::vector<Buffer> written;
  int reduces = 2;

  absl::StatusOr<std::vector<Buffer>> Blocks() override { return read; }
  absl::StatusOr<std::string_view> Split() override { return Unbound(); }
  absl::StatusOr<std::vector<Buffer>> ShuffleBuckets() override { return read; }
  absl::Status WriteShuffle(int /*reduce_partition*/, Buffer records) override {
    written.push_back(std::move(records));
    return absl::OkStatus();
  }
  int reduce_count() override { return reduces; }
  size_t shuffle_piece_bytes() override { return size_t{1} << 20; }
  std::string_view output_path() override { return {}; }
  absl::StatusOr<std::vector<Buffer>> ReadCached() override { return Unbound(); }
  absl::Status WriteCached(std::vector<Buffer> /*chunks*/, int64_t /*record_count*/) override {
    return Unbound();
  }
  absl::StatusOr<internal::StatePartition*> State(
      const std::function<std::unique_ptr<internal::StatePartition>()>& /*make*/) override {
    return Unbound();
  }
  int64_t state_batch_time_ms() override { return 0; }
  internal::SnapshotOrder snapshot_order() override { return {}; }
  bool restores_state() override { return false; }

 private:
  static absl::Status Unbound() { return absl::FailedPreconditionError("not bound"); }

  std::string owned_params_;
};

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_MICRO_MEMORY_TASK_H_
