// A task while it runs: the context that its operators see.
#ifndef MILLRACE_EXECUTOR_TASK_TASK_RUN_H_
#define MILLRACE_EXECUTOR_TASK_TASK_RUN_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "executor/block/block_store.h"
#include "executor/shuffle/map_output_writer.h"
#include "executor/shuffle/shuffle_router.h"
#include "executor/shuffle/shuffle_store.h"
#include "executor/state/state_store.h"
#include "executor/task/launched_task.h"
#include "executor/task/remote_reads.h"
#include "executor/task/run_node.h"
#include "executor/task/task_node.h"

namespace millrace::internal {

// The parts of a worker that tasks use. All outlive every task.
struct TaskServices {
  BlockStore& blocks;
  ShuffleStore& shuffles;            // Read here;
  const ShuffleRouter& map_outputs;  // written there.
  StateStore& states;
  FileSystem& fs;
  int64_t (*nanos)();             // Measures run times: MonotonicNanos but in simulations.
  RemoteReads* remote = nullptr;  // Null: there are no other workers.
};

// The context of one run of a task. Used by the task's thread alone.
class TaskRun final : public TaskContext {
 public:
  TaskRun(const TaskServices& services, LaunchedTask& launched);
  ~TaskRun() override;

  // Runs the root and whatever it asks for. What went wrong is in status().
  void Run();

  bool cancelled() const override { return launched_.cancelled.load(std::memory_order_relaxed); }
  std::shared_ptr<const std::string> Broadcast(int64_t broadcast_id) override;
  FileSystem& fs() override { return services_.fs; }

  // For the nodes.
  const TaskServices& services() const { return services_; }
  proto::TaskStatus& task_status() { return launched_.status; }
  // Errors are as RemoteReads::Fetch has them.
  absl::StatusOr<std::vector<Buffer>> Fetch(int64_t holder, proto::PeerRequest request);
  absl::Status AddToMapOutput(const proto::OutputBinding& output, int reduce_partition,
                              Buffer records);

  const std::deque<RunNode>& nodes() const { return nodes_; }
  // Of a task that has succeeded but for what other workers must still acknowledge; else null.
  std::unique_ptr<MapOutputWriter> TakeUnacknowledged();
  // The task failed because another worker could not be reached.
  bool has_missed_peer() const { return has_missed_peer_; }

 private:
  void RunRoot(RunNode& root);
  MapOutputWriter& WriterOf(const proto::OutputBinding& output);
  void FinishMapOutput(const proto::OutputBinding& output);

  const TaskServices& services_;
  LaunchedTask& launched_;
  std::deque<RunNode> nodes_;                    // Addresses stay; the root stands first.
  std::unique_ptr<MapOutputWriter> map_output_;  // Of a shuffle write.
  bool has_missed_peer_ = false;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_TASK_TASK_RUN_H_
