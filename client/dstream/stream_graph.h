// The graph of a program's streams: what the user declared, what is wrong with it, and, batch after
// batch, the data sets and jobs that it means.
#ifndef MILLRACE_CLIENT_DSTREAM_STREAM_GRAPH_H_
#define MILLRACE_CLIENT_DSTREAM_STREAM_GRAPH_H_

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/dstream/dstream_node.h"
#include "client/dstream/receiver_books.h"
#include "client/rdd/context_state.h"
#include "client/rdd/local_properties.h"
#include "common/concurrent/waiting_lock.h"
#include "common/fs/left_outputs.h"
#include "driver/batch/streaming_handle.h"
#include "proto/checkpoint.pb.h"

namespace millrace::internal {

class GraphCheckpoint;
class InputNode;
class ReceiverInputNode;
class SavedDataSets;
struct StateSnapshot;

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
  WaitingLock& lock() { return lock_; }

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
  // Right behind Start, and after Restart: the graph goes on from the newest checkpoint of its
  // directory, none: it begins anew. FailedPrecondition: the checkpoint is of another program.
  absl::StatusOr<std::optional<ResumePoint>> Recover();
  // Behind Recover or, `recovers` false, in its place: finds what receivers of earlier drivers have
  // logged. Returns what the run begins with.
  absl::StatusOr<RecoveredBlocks> ReadEarlierLogs(bool recovers);
  // Another driver goes on, after a checkpoint: the streams are as they were right behind Start.
  void Restart();
  // Of what has been done so far, now.
  void WriteCheckpoint();
  // The run has come to its end, every batch has: states are saved as they are, so that a run to
  // come need not make updates again whose records are gone.
  void SaveStates();
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
  Time ClearCompleted(Time batch_time, bool cut_short) override;
  Time NextMissed(Time next, Time end) override;
  void StartsEnded(const ReceiverStarts& starts) override;

  // For nodes, under the lock.
  bool HasDataSetAt(Time time, std::chrono::milliseconds slide) const;
  Time zero_time() const { return zero_time_.value_or(Time(0)); }
  Time last_batch_time() const { return last_batch_time_.value_or(zero_time()); }
  // Of the latest batch that any driver has made. One that makes batches once more is not there
  // yet.
  Time last_made_time() const {
    return resumed_ ? std::max(resumed_->last_time, last_batch_time()) : last_batch_time();
  }
  // Every batch up to it has ended.
  Time completed_time() const;
  // Ended before this run, which has resumed: its data sets can be made again, but are not news.
  bool IsOfEarlierDriver(Time time) const { return resumed_ && time <= resumed_->completed_time; }
  // Inputs that are asked for `remember` back may forget what batches up to this one had.
  Time ForgettableInputs(std::chrono::milliseconds remember) const;
  const std::vector<std::unique_ptr<DStreamNode>>& nodes() const { return nodes_; }
  const std::vector<InputNode*>& needed_inputs() const { return needed_inputs_; }
  // All inputs that the stream is made of are.
  bool IsReplayable(const DStreamNode& node) const;
  // An output draws on it.
  bool IsNeeded(const DStreamNode& node) const { return node.remember().count() > 0; }
  // Of batches that were left out, the one behind them and the one before.
  const std::map<Time, Time>& left_out() const { return left_out_; }
  // Null: there is no checkpoint directory.
  GraphCheckpoint* checkpoint() const { return checkpoint_.get(); }
  // Null: the same.
  SavedDataSets* saved_data_sets() const { return saved_data_sets_.get(); }
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
  // What tells streams apart from one run of the application to the next: their names, else where
  // they stand in the graph.
  std::map<const DStreamNode*, std::string> StreamIds() const;
  absl::Status CheckTimes(const proto::Checkpoint& checkpoint) const;
  absl::StatusOr<ResumePoint> GoOnFrom(const proto::Checkpoint& latest);
  // Begins the batch. What its inputs have chosen for it is saved behind this; an error: it cannot
  // be, and must be.
  absl::Status ChooseInputs(Time batch_time, const BatchBlocks& blocks);
  GeneratedBatch MakeBatch(Time batch_time);
  // The last of the jobs that is through saves the data sets that are due.
  void AddSaves(Time batch_time, std::vector<BatchJob>& jobs);
  // Opens what is in the checkpoint directory.
  absl::Status OpenCheckpoint(const std::map<const DStreamNode*, std::string>& ids);
  // Makes the updates of state that came after what was saved of it.
  absl::Status CatchUpState();
  absl::Status MakeAgain(DStreamNode& node, Time time);
  bool IsOfMissingInput(const absl::Status& status);
  void Save(std::vector<StateSnapshot> snapshots);
  // Saved data sets that nobody looks back at.
  void RemoveForgotten();
  void CheckCheckpoints(const std::vector<bool>& reachable);
  absl::Status StartInputs();
  void CheckReceiverLogs(const std::vector<bool>& reachable);
  std::vector<ReceiverInputNode*> NeededReceivers() const;
  // Above those of runs of this process before.
  int64_t FirstStartOfRun();
  // Does nothing where nobody logs or has logged.
  absl::Status BeginReceiverLogs(const std::map<const DStreamNode*, std::string>& ids,
                                 int64_t first_start);
  void BeginBatch(Time batch_time, const BatchBlocks& blocks);
  bool IsLeftOut(Time time) const;
  // Batches between the two are.
  void LeaveOut(Time after, Time before);
  std::optional<BatchJob> MakeJob(int output_op_id, Time batch_time);
  // For streams that must run and that no output has asked for, as in the gaps of a window.
  void AddJobsOfUnasked(Time batch_time, std::vector<BatchJob>& jobs);

  const ContextRef context_;
  const std::chrono::milliseconds batch_interval_;

  WaitingLock lock_;  // Guards everything below.
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
  // Of the last batch that was put to the streams. Those behind it could not be noted; the next one
  // looks back from here.
  Time last_asked_time_{0};
  std::set<Time> unfinished_;           // Batches that were made and have not ended.
  std::optional<ResumePoint> resumed_;  // From where this run goes on.
  bool must_catch_up_ = false;          // State is older than that.
  absl::Status recovery_failure_;       // And why it cannot catch up.
  // By the drivers before, which batches that run again have begun. Null: this run has not resumed.
  std::shared_ptr<LeftOutputs> left_outputs_;
  // No stream has a data set there. The next driver must know, for what had not come into a window
  // must not leave it.
  std::map<Time, Time> left_out_;
  Time last_input_{0};  // The latest batch that may have had any, of what came behind a checkpoint.
  std::unique_ptr<GraphCheckpoint> checkpoint_;
  LoggingRuns logging_runs_;                        // Of receivers.
  std::shared_ptr<SavedDataSets> saved_data_sets_;  // Jobs share it.
  int64_t generation_ = 0;
  int64_t provisional_count_ = 0;
  // Of the batch that is being made.
  std::map<int, StreamInputInfo> input_infos_;
  std::map<int, OffsetRangesRef> offset_ranges_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_STREAM_GRAPH_H_
