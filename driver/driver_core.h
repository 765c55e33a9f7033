// The driver: everything that decides, composed.
#ifndef MILLRACE_DRIVER_DRIVER_CORE_H_
#define MILLRACE_DRIVER_DRIVER_CORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/env/env.h"
#include "driver/batch/streaming_run.h"
#include "driver/block/worker_data.h"
#include "driver/cluster/worker_registry.h"
#include "driver/cluster/worker_supply.h"
#include "driver/dag/accumulators.h"
#include "driver/dag/batch_metrics.h"
#include "driver/dag/dag_scheduler.h"
#include "driver/receiver/received_before.h"
#include "driver/service/streaming_service.h"
#include "driver/task/task_scheduler.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

struct DriverOptions {
  // Rises with every driver of one application: workers listen to the newest only, and ids of
  // different epochs differ.
  int64_t epoch = 1;
  TaskOptions tasks;
  // A worker that has said nothing for so long is lost; 0: silence means nothing. Well above the
  // interval of its heartbeats.
  int64_t worker_timeout_micros = 0;
  // Remembers how states have come about since they were saved, and makes what a lost worker had of
  // them again.
  bool repairs_states = false;
  // Another driver may come after this one and find its workers with what they have received.
  bool may_be_replaced = false;
  // As the driver daemon calls the application; empty: none knows it.
  std::string application_id;
  // Null: workers come and go by themselves alone. Outlives the core.
  WorkerSupply* supply = nullptr;
  // Told on the event loop when workers come and go.
  std::function<void(int total_slots)> on_slots_changed;
};

// A deterministic state machine: it reacts to messages of workers, to calls and to timers, and
// reaches the world through its Env and its transport alone.
//
// Threads: all methods on the Env's event loop. It outlives what it gave to the Env.
class DriverCore final : public StreamingHost {
 public:
  DriverCore(Env& env, DriverTransport& transport, DriverOptions options);
  DriverCore(const DriverCore&) = delete;
  DriverCore& operator=(const DriverCore&) = delete;

  // From a worker. A worker is known from its hello until it is lost.
  void HandleMessage(proto::ToDriver message);
  // Its connection broke or its process ended. Nothing it sent before may come after this.
  void WorkerLost(int64_t worker_id, const std::string& reason);

  void SubmitJob(JobSpec spec, JobDone done);
  // Nothing runs any more: jobs fail with Cancelled, a streaming run stops at once.
  void Stop();

  void DropShuffle(int64_t shuffle_id) { data_.DropShuffle(shuffle_id); }
  void DropRdd(int64_t rdd_id) { data_.DropRdd(rdd_id); }
  void DropState(int64_t state_id) { data_.DropState(state_id); }
  // What was saved of a state, as a step to make lost partitions of; see StateTracker::Saved.
  void StateSaved(int64_t state_id, RddRef load) { dag_.StateSaved(state_id, std::move(load)); }
  void PutBroadcast(int64_t broadcast_id, std::string encoded);
  void DropBroadcast(int64_t broadcast_id);
  Accumulators& accumulators() { return accumulators_; }

  // What the stages of a recent batch did and cost.
  std::vector<StageReport> StagesOf(int64_t batch_time_ms) const {
    return metrics_.Of(batch_time_ms);
  }

  // What workers that an earlier driver has left have of its receivers; none once a streaming run
  // has begun.
  EarlierBlocks earlier_blocks() const { return received_before_.Describe(); }

  // StreamingHost
  absl::StatusOr<StreamingRun*> BeginStreaming(StreamingSpec spec,
                                               StreamingRun::Observer observer) override;

  // Nothing runs and workers keep nothing: all leases have gone and all jobs are done.
  bool idle() const;

 private:
  void WorkerAdded(int64_t worker_id, const proto::WorkerHello& hello);
  void HandleReceiverEvent(int64_t worker_id, const proto::ReceiverEvent& event);
  void SendBroadcast(int64_t worker_id, int64_t broadcast_id, const std::string& encoded);
  void HandleBlockReport(int64_t worker_id, const proto::BlockReport& report);
  void HandleBlocksCopied(int64_t worker_id, const proto::BlocksCopied& copied);
  void Introduce(const Worker& added);
  void SendFarewell(int64_t worker_id);
  void WatchSilence();
  void SlotsChanged();

  Env& env_;
  const DriverOptions options_;
  bool is_stopped_ = false;

  bool is_watching_ = false;  // For workers that fall silent.

  DriverTransport& transport_;
  WorkerRegistry workers_;
  WorkerData data_;
  Accumulators accumulators_;
  BatchMetrics metrics_;
  TaskScheduler tasks_;
  DagScheduler dag_;
  absl::btree_map<int64_t, std::string> broadcasts_;
  std::shared_ptr<StreamingRun> streaming_;  // The latest; null before the first.
  int64_t streaming_count_ = 0;
  ReceivedBefore received_before_;  // Until the first streaming run.
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_DRIVER_CORE_H_
