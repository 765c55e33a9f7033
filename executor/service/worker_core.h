// What a worker does with each message of its driver.
#ifndef MILLRACE_EXECUTOR_SERVICE_WORKER_CORE_H_
#define MILLRACE_EXECUTOR_SERVICE_WORKER_CORE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/base/recent_ids.h"
#include "common/env/env.h"
#include "common/memory/memory_budget.h"
#include "executor/block/spill_dir.h"
#include "executor/receiver/receiver_service.h"
#include "executor/task/launched_task.h"
#include "executor/task/stage_plan_cache.h"
#include "executor/task/task_runner.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

struct WorkerOptions {
  int64_t worker_id = 0;
  std::string application_id;
  std::string host = "localhost";
  std::string peer_address;  // Where it answers other workers; empty: it has none.
  std::string binary_digest;
  int task_slots = 1;
  int64_t heartbeat_interval_micros = 0;  // 0: no heartbeats.
  // A task whose status, with its result, is larger fails: it could not be sent. 0: any size.
  size_t status_bytes_max = 0;
};

// The worker's state machine: plans, tasks, and whose turn it is. A task whose shuffle inputs are
// not all here waits without a slot; then it takes its turn, first come, first served, and runs on
// a task thread.
//
// Threads: lives on its Env's event loop and is called only there. It must outlive the tasks and
// timers that it gave to the Env.
// Invariants: a launched task is answered with exactly one status, unless its driver is replaced;
// at most `task_slots` run. One whose outputs are on their way to other workers runs no more, and
// is answered when they have acknowledged them.
class WorkerCore : public ReceiverService::Listener {
 public:
  // What it stands on; all outlive it.
  struct Parts {
    Env& env;
    WorkerTransport& transport;
    TaskServices services;
    SpillDir& disk;
    MemoryBudget& memory;
    ReceiverService& receivers;
  };

  WorkerCore(WorkerOptions options, const Parts& parts);
  WorkerCore(const WorkerCore&) = delete;
  WorkerCore& operator=(const WorkerCore&) = delete;

  // There is a connection to the driver: says hello, and that these copies of other workers' blocks
  // are here, too.
  void Start(const std::vector<proto::StoredBlock>& copies = {});
  // The connection is gone: nothing is said until the next Start. What is received is kept for the
  // driver that comes.
  void Disconnected() { is_connected_ = false; }
  // False: it is said by a driver that has been replaced, and is to be ignored.
  bool Hears(const proto::ToWorker& message);
  // Of the driver that it listens to; 0: it has heard none.
  int64_t driver_epoch() const { return driver_epoch_; }
  void Handle(proto::ToWorker message);
  // Map outputs came in by another way than a task of this worker.
  void OnMapOutputsArrived();
  // No task starts from here on; those that run are told to end.
  void Stop();

  // Nothing is left to do: no task is waiting or running.
  bool idle() const { return tasks_.empty(); }

  void OnBlockReport(proto::BlockReport report) override;
  void OnReceiverEvent(proto::ReceiverEvent event) override;
  // These are here because the driver wanted it so. What is known of them is little.
  void NoteCopies(const proto::BlocksCopied& copied);
  // What others here have to say to the driver.
  void Send(proto::ToDriver message);

 private:
  struct Task : LaunchedTask {
    int missing_inputs = 0;
    bool running = false;
    int64_t arrived_micros = 0;
    // What the task may write; what is dropped during its run is dropped again after it.
    std::vector<int64_t> written_rdds;
    int64_t updated_state = kNoId;
    std::vector<int64_t> dropped_rdds;
    bool state_dropped = false;
    TimerId acknowledgement_timer = kNoTimer;
    bool is_forgotten = false;  // By a driver that was replaced.
  };
  static constexpr int64_t kNoId = -1;
  using WaitingTasks = std::vector<int64_t>;  // Ids; those that are gone are passed over.

  void ForgetDriver();
  void Launch(proto::TaskRequest request);
  absl::Status TakeBroadcasts(Task& task);
  void NoteOutputs(Task& task);
  void ExpectInputs(Task& task);
  void TakeReadyInputs();
  void StartRunnable();
  void Run(Task& task);
  void OnTaskDone(int64_t task_id);
  void AwaitAcknowledgements(Task& task);
  void OnAcknowledged(int64_t task_id, const absl::Status& status);
  void End(int64_t task_id);
  // The task ends without having run.
  void Refuse(int64_t task_id, proto::TaskStatus::Outcome outcome, const absl::Status& error);
  void SendStatus(proto::TaskStatus status);
  void LimitStatus(proto::TaskStatus& status);

  void CancelTask(int64_t task_id);
  void CommitTask(const proto::CommitTask& commit);
  void DropShuffle(int64_t shuffle_id);
  void DropRdd(int64_t rdd_id);
  void DropBlocks(const proto::DropBlocks& drop);
  void DropState(int64_t state_id);
  void DropAgain(const Task& task);
  void RemoveDiscardedFiles();

  void SendDroppedPartitions();
  void SendHeartbeats();

  const WorkerOptions options_;
  Env& env_;
  WorkerTransport& transport_;
  const TaskServices services_;
  SpillDir& disk_;
  MemoryBudget& memory_;
  ReceiverService& receivers_;
  const TaskRunner runner_;

  int64_t driver_epoch_ = 0;
  bool is_connected_ = true;
  // Blocks that receivers here have stored, or lost workers had, and copies that the driver wanted,
  // until they are dropped: by stream and sequence.
  std::map<std::pair<int64_t, int64_t>, proto::StoredBlock> received_;
  bool stopped_ = false;
  TimerId heartbeat_timer_ = kNoTimer;
  int free_slots_;
  StagePlanCache plans_;
  absl::flat_hash_map<int64_t, std::shared_ptr<const std::string>> broadcasts_;
  absl::flat_hash_map<int64_t, std::unique_ptr<Task>> tasks_;
  RecentIds finished_;  // Tasks: a launch may be delivered twice.
  std::deque<int64_t> runnable_;
  // By shuffle, then by reduce partition.
  absl::flat_hash_map<int64_t, absl::flat_hash_map<uint32_t, WaitingTasks>> waiting_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SERVICE_WORKER_CORE_H_
