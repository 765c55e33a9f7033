// Where a task finds what it reads.
#ifndef MILLRACE_DRIVER_TASK_TASK_PLACER_H_
#define MILLRACE_DRIVER_TASK_TASK_PLACER_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "driver/block/worker_data.h"
#include "driver/cluster/worker_registry.h"
#include "driver/dag/stage_tree.h"
#include "driver/task/task_set.h"

namespace millrace::internal {

// Tasks run where blocks, persisted partitions, shuffles and state are that they read. Where no
// worker has all of them, one that has the first runs the task and fetches the others. A task whose
// shuffle or state partitions have no place yet gives them one: its own.
//
// Threads: the driver core's event loop.
class TaskPlacer {
 public:
  TaskPlacer(const WorkerRegistry& workers, WorkerData& data) : workers_(workers), data_(data) {}

  TaskPlacement Place(const StageTree& tree, int partition);
  // In the bindings of a task for this worker: who has what it has not.
  void NameHolders(int64_t worker_id, proto::TaskRequest& request) const;

 private:
  using Workers = absl::InlinedVector<int64_t, 2>;
  struct Leaf {
    const StageNode* node;
    int partition;
  };

  void Narrow(const StageNode& node, int partition, Workers& candidates,
              std::vector<Leaf>& unplaced, Workers& shuffles);
  template <class Holders>
  void NarrowTo(const Holders& holders, Workers& candidates) const;
  void PlaceLeaf(const Leaf& leaf, int64_t worker_id);
  Workers WorkersAt(const std::vector<std::string>& hosts) const;
  bool AllServeOthers(const Workers& workers) const;

  const WorkerRegistry& workers_;
  WorkerData& data_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_TASK_TASK_PLACER_H_
