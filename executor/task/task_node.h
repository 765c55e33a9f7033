// A task as its operators see it: the tree of plan nodes resolved for one partition, and what the
// worker offers to them. Free of protobuf, for it is included by user programs.
#ifndef MILLRACE_EXECUTOR_TASK_TASK_NODE_H_
#define MILLRACE_EXECUTOR_TASK_TASK_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/memory/arena.h"
#include "common/memory/buffer.h"
#include "common/plan/operator_registry.h"
#include "executor/operator/chunk_sink.h"

namespace millrace {
class FileSystem;
}

namespace millrace::internal {

class TaskNode;

// The work behind a plan node. Stateless and shared by all threads; what a run needs lives on its
// stack or in the task's arena.
class Operator : public Registered {
 public:
  // Computes one partition: pulls the inputs (`node.RunInput`), pushes to `out`. A root has no
  // `out`. False: it failed (see TaskContext::Fail) or was stopped by `out`.
  // May throw what user code throws; the task runner turns that into a failed task.
  virtual bool Compute(TaskNode& node, AnySink* out) const = 0;
};

// Keyed state of one partition, kept by the worker between batches. One task at a time holds it.
// A task's changes are kept apart, or undone by a log, until the driver takes the attempt's result.
class StatePartition {
 public:
  virtual ~StatePartition() = default;
  virtual void Commit() = 0;
  virtual void Abort() = 0;
  virtual size_t memory_bytes() const = 0;
};

// How a state partition is to be saved as it is after a task's update.
struct SnapshotOrder {
  std::string_view directory;  // For a part file; empty: it is not saved.
  int64_t time_ms = -1;        // The batch that it is saved as of.
  int64_t since_ms = -1;       // What changed since it was saved as of then is enough; -1: all.
};

// Run time and record counts of one operator in one task.
struct OperatorCounters {
  int64_t records = 0;
  int64_t ticks = 0;
};

// One task's view of its worker. Used by the task's thread alone.
class TaskContext {
 public:
  virtual ~TaskContext() = default;

  // The context of the task that runs on this thread; nullptr elsewhere.
  static TaskContext* Current();

  // Ends the task with an error, which is prefixed with the label of the operator that runs; the
  // first one counts. Always false, so that an operator can `return Fail(...)`.
  bool Fail(absl::Status status);
  bool failed() const { return !status_.ok(); }
  const absl::Status& status() const { return status_; }
  // Looked at by sources between chunks: the driver cancelled the attempt.
  virtual bool cancelled() const = 0;

  // Memory that lives until the task ends.
  Arena& arena() { return arena_; }
  // Keeps bytes alive until the task ends, so that views of them may be pushed.
  void Pin(Buffer buffer) { pinned_.push_back(std::move(buffer)); }
  // The same for an operator's table that pushed records view.
  void Keep(std::shared_ptr<void> owner) { kept_.push_back(std::move(owner)); }

  int64_t task_id() const { return task_id_; }
  int partition() const { return partition_; }
  int attempt() const { return attempt_; }
  int64_t batch_time_ms() const { return batch_time_ms_; }

  // What the root returns to the driver.
  void SetResult(std::string encoded) { result_ = std::move(encoded); }
  std::string TakeResult() { return std::move(result_); }

  // The encoded value of a broadcast, which all tasks of the worker share; null when it is not
  // here.
  virtual std::shared_ptr<const std::string> Broadcast(int64_t broadcast_id) = 0;

  // A place for the task's own value of an accumulator: `make` gives a fresh one, `encode` its
  // encoded form once the task has succeeded.
  struct AccumulatorSlot {
    std::shared_ptr<void> value;
    std::function<std::string()> encode;
  };
  AccumulatorSlot& accumulator(int64_t accumulator_id);
  const std::vector<std::pair<int64_t, AccumulatorSlot>>& accumulators() const {
    return accumulators_;
  }

  virtual FileSystem& fs() = 0;

 protected:
  // The context that Current() gives on this thread, from here on.
  static void SetCurrent(TaskContext* context);
  // The label of the operator that ran last when an exception left it; empty before the first.
  std::string_view running_label() const;

  int64_t task_id_ = 0;
  int partition_ = 0;
  int attempt_ = 0;
  int64_t batch_time_ms_ = -1;

 private:
  friend class OperatorScope;

  absl::Status status_;
  Arena arena_;
  std::vector<Buffer> pinned_;
  std::vector<std::shared_ptr<void>> kept_;
  std::string result_;
  std::vector<std::pair<int64_t, AccumulatorSlot>> accumulators_;
  // The operator to blame and to charge. An exception leaves it at the operator that threw.
  TaskNode* running_ = nullptr;
  int64_t ticks_at_switch_ = 0;  // When `running_` was set.
};

// One node of the task's tree. The services below the line are for the operators whose plan node
// has the matching BindingKind; they fail the task when the binding is of another kind.
class TaskNode {
 public:
  virtual ~TaskNode() = default;

  TaskContext& task() { return *task_; }
  std::string_view params() const { return params_; }
  std::string_view label() const { return label_; }

  int input_count() const { return static_cast<int>(inputs_.size()); }
  // Computes input `i` into `sink`. False as Operator::Compute.
  bool RunInput(int i, AnySink& sink);
  // The only input.
  bool RunInput(AnySink& sink) { return RunInput(0, sink); }

  // -------------------------------------------------------------------------------------------
  // kBlocks: the blocks' bytes in order, pinned for the task.
  virtual absl::StatusOr<std::vector<Buffer>> Blocks() = 0;
  // kSplit.
  virtual absl::StatusOr<std::string_view> Split() = 0;
  // kShuffle: this reduce partition's buckets in the order of map partitions, pinned.
  virtual absl::StatusOr<std::vector<Buffer>> ShuffleBuckets() = 0;
  // kOutput of a shuffle write: hands over whole records of one reduce partition, which follow
  // those handed over before. They count when the task succeeds.
  virtual absl::Status WriteShuffle(int reduce_partition, Buffer records) = 0;
  virtual int reduce_count() = 0;
  // From so much on records of a reduce partition are to be handed over.
  virtual size_t shuffle_piece_bytes() = 0;
  // kOutput of a file sink.
  virtual std::string_view output_path() = 0;
  // kCached: reading, pinned; NotFound makes the task a cache miss. And writing.
  virtual absl::StatusOr<std::vector<Buffer>> ReadCached() = 0;
  virtual absl::Status WriteCached(std::vector<Buffer> chunks, int64_t record_count) = 0;
  // kState: the state partition, made by `make` when it is new (or when the previous update was
  // none). Held by this task until it is committed or aborted.
  virtual absl::StatusOr<StatePartition*> State(
      const std::function<std::unique_ptr<StatePartition>()>& make) = 0;
  virtual int64_t state_batch_time_ms() = 0;
  virtual SnapshotOrder snapshot_order() = 0;
  // Input 1 is a saved state.
  virtual bool restores_state() = 0;

  const OperatorCounters& counters() const { return counters_; }

 protected:
  friend class OperatorScope;

  TaskContext* task_ = nullptr;
  const Operator* operator_ = nullptr;
  std::string_view params_;
  std::string_view label_;
  std::vector<TaskNode*> inputs_;
  OperatorCounters counters_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_TASK_TASK_NODE_H_
