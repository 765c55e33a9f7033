// A streaming run: ticks, received blocks, generated jobs, their order, and the end of it all.
#ifndef MILLRACE_DRIVER_BATCH_STREAMING_RUN_H_
#define MILLRACE_DRIVER_BATCH_STREAMING_RUN_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "common/env/env.h"
#include "driver/batch/batch_reporter.h"
#include "driver/batch/batch_ticker.h"
#include "driver/batch/running_batch.h"
#include "driver/batch/streaming_handle.h"
#include "driver/batch/worker_scaler.h"
#include "driver/block/block_copies.h"
#include "driver/block/worker_data.h"
#include "driver/cluster/worker_registry.h"
#include "driver/cluster/worker_supply.h"
#include "driver/event/listener_bus.h"
#include "driver/receiver/rate_controller.h"
#include "driver/receiver/received_before.h"
#include "driver/receiver/receiver_tracker.h"

namespace millrace::internal {

// The path of a batch:
//   tick -> receivers cut -> blocks allocated -> jobs generated -> jobs run -> completed
// Batches are generated one at a time and in order, and so do their jobs start. A batch that finds
// nothing before it is generated and run in one go on one job thread; its thread hops are counted.
//
// Threads: the driver core's event loop. Graph functions and jobs run on job threads.
// Invariants: (1) every tick's batch is generated, in order; (2) a batch ends whatever becomes of
// its jobs, and what it held is dropped; (3) after `stopped` nothing is told any more.
class StreamingRun : public std::enable_shared_from_this<StreamingRun> {
 public:
  struct Parts {
    Env& env;
    WorkerRegistry& workers;
    WorkerData& data;
    WorkerSupply* supply = nullptr;  // Null: the workers that there are are all.
    // Where the numbers of its blocks begin; what earlier runs have received stays below.
    int64_t first_sequence = 0;
    ReceivedBefore received_before;
    // A batch has ended (DagScheduler::BatchEnded), and: cancel all jobs of batches.
    std::function<void()> batch_ended;
    std::function<void(const absl::Status&)> cancel_jobs;
  };
  // Told on the event loop.
  struct Observer {
    std::function<void(Time, const absl::Status&)> batch_completed;
    std::function<void(const absl::Status&)> error;
    std::function<void()> stopped;
  };

  StreamingRun(Parts parts, StreamingSpec spec, Observer observer);
  StreamingRun(const StreamingRun&) = delete;
  StreamingRun& operator=(const StreamingRun&) = delete;

  ListenerBus& bus() { return *bus_; }

  // InvalidArgument: senseless rate settings; nothing has started then.
  absl::Status Start();
  // Graceful first and at once later is fine.
  void Stop(bool graceful);
  bool is_stopped() const { return is_stopped_; }
  // Jobs of its batches are refused.
  bool is_stopping_at_once() const { return is_stopping_at_once_; }

  void HandleBlockReport(int64_t worker_id, const proto::BlockReport& report);
  void HandleReceiverEvent(int64_t worker_id, const proto::ReceiverEvent& event);
  void HandleBlocksCopied(int64_t worker_id, const proto::BlocksCopied& copied);
  void WorkerAdded();
  void WorkerLost(int64_t worker_id);

  // The batch of that time may still submit jobs.
  bool IsUnfinished(int64_t batch_time_ms) const {
    return unfinished_.contains(Time(batch_time_ms));
  }

 private:
  using BatchRef = std::shared_ptr<RunningBatch>;

  void CatchUp(const ResumePoint& from);
  void AddMissedBehind(const RunningBatch& batch);
  // Blocks.
  void OnTick(Time batch_time);
  void CutNext();
  void OnCut(const BatchRef& batch);
  // Generation.
  void GenerateNext();
  // Batches that cannot keep up are not made by the thousand before their turn comes near.
  bool HasEnoughAhead() const;
  void Generate(const BatchRef& batch);
  void OnGenerated(const BatchRef& batch, bool runs_already);
  // Running.
  void FillLanes();
  void OnLaneDone(const BatchRef& batch);
  void OnJobDone(const BatchRef& batch, size_t job, bool starts_next);
  void Complete(const BatchRef& batch);
  void DropBlocks(Time droppable);
  void UpdateRates(const RunningBatch& batch);
  void UpdateScale(const RunningBatch& batch);
  void SetLimits(int64_t stream_id, const StreamLimits& limits);
  // Stopping.
  bool WasCutShort(const absl::Status& status) const {
    return is_stopping_at_once_ && absl::IsCancelled(status);
  }
  void StopReceivers();
  void StopAtOnce();
  void ContinueStop();
  void FinishStop();

  // On job threads.
  void GenerateOn(RunningBatch& batch) const;
  void RunJobs(const BatchRef& batch, size_t first, size_t end);
  static void Clear(BatchGraph& graph, RunningBatch& batch);

  bool RunsWholeBatches() const { return spec_.concurrent_jobs <= 1; }

  Env& env_;
  WorkerData& data_;
  const std::function<void()> batch_ended_;
  const std::function<void(const absl::Status&)> cancel_jobs_;
  ReceivedBefore received_before_;  // Until the start.
  const StreamingSpec spec_;
  const Observer observer_;
  // Deliveries under way may outlive the run.
  const std::shared_ptr<ListenerBus> bus_;
  BatchReporter reporter_;
  ReceiverTracker receivers_;
  BlockCopies copies_;
  BatchTicker ticker_;
  std::optional<WorkerScaler> scaler_;
  std::map<int64_t, RateController> rate_controllers_;  // By stream.

  std::deque<Time> ticks_;  // Whose blocks have not been cut yet.
  bool is_cutting_ = false;
  std::deque<BatchRef> allocated_;  // With their blocks, not yet generated.
  bool is_generating_ = false;
  std::deque<BatchRef> queue_;           // With jobs that no lane has taken, in time order.
  int free_lanes_;                       // Of `concurrent_jobs`.
  std::map<Time, BatchRef> unfinished_;  // From the cut on until the batch has ended.
  Time droppable_blocks_{0};             // The latest that the graph allowed.

  bool is_started_ = false;
  bool is_stopping_ = false;
  bool is_stopping_at_once_ = false;
  bool receivers_stopped_ = false;
  bool jobs_are_overdue_ = false;  // A stop waits for them no longer.
  bool is_stopped_ = false;
  TimerId stop_timer_ = kNoTimer;
  TimerId job_timer_ = kNoTimer;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BATCH_STREAMING_RUN_H_
