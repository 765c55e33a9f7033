// The graph of a program's streams: what the user declared, what is wrong with it, and, batch after
// batch, the data sets and jobs that it means.
#ifndef MILLRACE_CLIENT_DSTREAM_STREAM_GRAPH_H_
#define MILLRACE_CLIENT_DSTREAM_STREAM_GRAPH_H_

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/dstream/dstream_node.h"
#include "client/rdd/context_state.h"
#include "client/rdd/local_properties.h"
#include "driver/batch/streaming_handle.h"

namespace millrace::internal {

class InputNode;

// What is done with a stream's data set in every batch that has one.
struct OutputOperation {
  Operation operation;
  DStreamNode* stream = nullptr;
  // Runs on a job thread; may throw.
  std::function<absl::Status(const RddRef&, Time)> run;
};

// Lifetime: made by a StreamingContext, shared by the handles of its streams and by the driver.
// Threads:  declarations come from the user's threads, batches from job threads; one lock guards
//           all. It is held while functions of Transform run, which may come back to the graph from
//           the same thread (Slice), so it is recursive.
// Invariant: nodes stand in the order of their creation, parents before children.
class StreamGraph final : public BatchGraph {
 public:
  StreamGraph(ContextRef context, std::chrono::milliseconds batch_interval);
  ~StreamGraph() override;

  const ContextRef& context() const { return context_; }
  std::chrono::milliseconds batch_interval() const { return batch_interval_; }
  std::recursive_mutex& lock() { return lock_; }

  // Declarations. Each says what it is doing, for errors; whatever is wrong is noted and the
  // declaration goes on, so that one start reports all mistakes.
  template <class Node>
  Node* Add(std::unique_ptr<Node> node) {
    Node* const raw = node.get();
    Take(std::move(node));
    return raw;
  }
  int AddInput(std::unique_ptr<InputNode> input);  // Its id: 0, 1, 2, ...
  void AddOutput(OutputOperation output);
  void AddError(const Operation& operation, const std::string& message);
  // Notes an error when the context has started or stopped: what is declared has no effect then.
  // False in that case.
  bool CheckOpen(const Operation& operation);
  // Names tell streams apart for good (metrics, saved state), so no two streams share one.
  void SetName(const Operation& operation, DStreamNode& node, const std::string& name);
  void Remember(const Operation& operation, std::chrono::milliseconds duration);
  void SetCheckpointDirectory(std::string directory) {
    checkpoint_directory_ = std::move(directory);
  }
  const std::string& checkpoint_directory() const { return checkpoint_directory_; }

  // The end of declarations: all that is wrong as one InvalidArgument, else every stream knows how
  // long to remember.
  absl::Status Start();
  // Streams declare nothing more; data sets and the user's functions are let go of.
  void Stop();
  // The first declaration that came too late, FailedPrecondition.
  absl::Status late_error();
  std::vector<ReceiverSpec> Receivers();
  std::vector<DirectStreamSpec> DirectStreams();

  // The data sets of `node` at the multiples of its slide in [from, to].
  absl::StatusOr<std::vector<RddRef>> Slice(DStreamNode& node, Time from, Time to);

  // BatchGraph.
  void BeginAfter(Time zero_time) override;
  absl::StatusOr<GeneratedBatch> GenerateJobs(Time batch_time, const BatchBlocks& blocks) override;
  Time ClearCompleted(Time batch_time) override;

  // For nodes, under the lock.
  bool HasDataSetAt(Time time, std::chrono::milliseconds slide) const;
  Time zero_time() const { return zero_time_.value_or(Time(0)); }
  Time last_batch_time() const { return last_batch_time_.value_or(zero_time()); }
  int64_t generation() const { return generation_; }
  // An input gave a data set that its batch may yet change: nothing made of it is remembered.
  void MarkProvisional() { ++provisional_count_; }
  int64_t provisional_count() const { return provisional_count_; }
  void ReportInput(Time time, StreamInputInfo info);
  // Of the batch that is being made.
  void ReportOffsets(int input_id, OffsetRangesRef ranges) {
    offset_ranges_[input_id] = std::move(ranges);
  }

 private:
  enum class Phase { kDeclaring, kStarted, kStopped };

  void Take(std::unique_ptr<DStreamNode> node);
  void PlanRemember(const std::vector<bool>& reachable);
  std::vector<bool> ReachableFromOutputs() const;
  void CheckCheckpoints(const std::vector<bool>& reachable);
  absl::Status StartInputs();
  void BeginBatch(Time batch_time, const BatchBlocks& blocks);
  std::optional<BatchJob> MakeJob(int output_op_id, Time batch_time);
  // For streams that must run and that no output has asked for, as in the gaps of a window.
  void AddJobsOfUnasked(Time batch_time, std::vector<BatchJob>& jobs);

  const ContextRef context_;
  const std::chrono::milliseconds batch_interval_;

  std::recursive_mutex lock_;  // Guards everything below.
  Phase phase_ = Phase::kDeclaring;
  std::vector<std::unique_ptr<DStreamNode>> nodes_;
  std::vector<InputNode*> inputs_;      // By input id.
  std::vector<DStreamNode*> must_run_;  // Of those that outputs need.
  // Those that outputs need. Constant once started, so batches read it without the lock.
  std::vector<InputNode*> needed_inputs_;
  // Shared with the jobs that run them.
  std::vector<std::shared_ptr<const OutputOperation>> outputs_;
  std::vector<std::string> errors_;
  absl::Status late_error_;
  std::optional<std::chrono::milliseconds> remember_;
  // Of the thread that started it.
  std::shared_ptr<const LocalProperties> local_properties_ =
      std::make_shared<const LocalProperties>();
  std::string checkpoint_directory_;
  std::optional<Time> zero_time_;  // One interval before the first batch.
  std::optional<Time> last_batch_time_;
  int64_t generation_ = 0;
  int64_t provisional_count_ = 0;
  // Of the batch that is being made.
  std::map<int, StreamInputInfo> input_infos_;
  std::map<int, OffsetRangesRef> offset_ranges_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_STREAM_GRAPH_H_
