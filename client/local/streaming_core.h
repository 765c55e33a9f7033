// What stands behind a StreamingContext: its graph, its state, its run.
#ifndef MILLRACE_CLIENT_LOCAL_STREAMING_CORE_H_
#define MILLRACE_CLIENT_LOCAL_STREAMING_CORE_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "client/dstream/stream_graph.h"
#include "client/local/context_core.h"
#include "client/local/stop_signals.h"
#include "common/base/source_location.h"
#include "driver/batch/streaming_handle.h"

namespace millrace::internal {

enum class RunState { kInitialized, kActive, kStopped };

// The life of a streaming run: initialized -> active -> stopped, never back. One is active at a
// time in a process.
//
// Threads: any. Functions that the engine runs (jobs, Transform, listeners) may call everything
// too; a stop that they ask for completes behind them.
class StreamingCore : public std::enable_shared_from_this<StreamingCore> {
 public:
  StreamingCore(std::shared_ptr<ContextCore> context, std::chrono::milliseconds batch_interval);
  ~StreamingCore();  // Stops at once if need be.
  StreamingCore(const StreamingCore&) = delete;
  StreamingCore& operator=(const StreamingCore&) = delete;

  const std::shared_ptr<StreamGraph>& graph() const { return graph_; }
  const std::shared_ptr<ContextCore>& context() const { return context_; }
  RunState state() const ABSL_LOCKS_EXCLUDED(mutex_);

  void Checkpoint(const Operation& operation, const std::string& directory);
  // Null is no listener.
  void AddListener(std::shared_ptr<StreamingListener> listener) ABSL_LOCKS_EXCLUDED(mutex_);

  // `where` is shown to whoever wants to start another one meanwhile. `catch_signals`: SIGINT and
  // SIGTERM stop the run from now on.
  absl::Status Start(Location where, bool catch_signals) ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop(bool graceful, bool stop_context) ABSL_LOCKS_EXCLUDED(mutex_);
  // Until stopped or until an error is reported, at most `timeout` (negative: for ever). True:
  // stopped, with all that belongs to it.
  absl::StatusOr<bool> Await(std::chrono::milliseconds timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  // Start goes on from the newest checkpoint in the directory, if there is one. `directory` becomes
  // the checkpoint directory unless one is set; another one is an error of the graph.
  void RecoverFrom(const Operation& operation, const std::string& directory);

  // Drops the driver and its workers as a crash would, after the last checkpoint was written;
  // others go on from that, with the same graph. For tests, on a manual clock. FailedPrecondition:
  // the run is not active, or has no checkpoint directory.
  absl::Status RestartDriver() ABSL_LOCKS_EXCLUDED(mutex_);

  // Moves the manual clock by one batch interval and waits for the batch that falls due then.
  absl::Status RunBatch(Time batch_time, std::chrono::milliseconds timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Takes the graph's lock, so it must not hold ours: functions of the graph call us.
  // A manual clock stands behind what an earlier driver has done, by as much as a setting says.
  absl::Status MoveManualClock(const ResumePoint& from) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<StreamingSpec> StartGraph() ABSL_LOCKS_EXCLUDED(mutex_);
  // Of the graph, which has started; but for what is to be recovered, and for receivers, which that
  // has a say in.
  absl::StatusOr<StreamingSpec> MakeSpec();
  absl::Status RecoverGraph(bool recovers, StreamingSpec& spec);
  absl::Status StartRun(absl::StatusOr<StreamingSpec> spec, bool catch_signals)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whoever asks for the state while it starts waits until it has, or has not.
  void AwaitStart() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void AddListeners() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnSignal(int count);
  // Stops on a thread of its own.
  void StopBehind(bool graceful, bool stop_context) ABSL_LOCKS_EXCLUDED(mutex_);
  void StopRun(StreamingHandle& run, bool graceful, bool stop_context) ABSL_LOCKS_EXCLUDED(mutex_);
  // The run has stopped, but nobody stops it: it ended with the Context below.
  bool WasCutOff() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<StreamingHandle> run() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsFinished() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return finished_; }

  // Constant after construction.
  const std::shared_ptr<ContextCore> context_;
  const std::chrono::milliseconds batch_interval_;
  const std::shared_ptr<StreamGraph> graph_;

  mutable absl::Mutex mutex_;
  RunState state_ ABSL_GUARDED_BY(mutex_) = RunState::kInitialized;
  bool is_starting_ ABSL_GUARDED_BY(mutex_) = false;
  int stops_under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // Stopped, and all that belongs to it is done.
  absl::Status start_status_ ABSL_GUARDED_BY(mutex_);
  bool recovers_ ABSL_GUARDED_BY(mutex_) = false;
  // With the names of their classes.
  std::vector<std::pair<std::shared_ptr<StreamingListener>, std::string>> listeners_
      ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<StreamingHandle> run_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<StopSignals> signals_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> stoppers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_STREAMING_CORE_H_
