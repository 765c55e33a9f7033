// In which order the task sets of concurrent jobs are offered a free slot.
#ifndef MILLRACE_DRIVER_TASK_SCHEDULING_POOLS_H_
#define MILLRACE_DRIVER_TASK_SCHEDULING_POOLS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "driver/task/task_set.h"

namespace millrace::internal {

struct PoolOptions {
  // FIFO: jobs in the order of their submission. FAIR: the pool with the fewest running tasks for
  // its weight comes first, and jobs within a pool in order.
  bool is_fair = false;
  std::map<std::string, int> weights;  // Of named pools; 1 where it is not said.
};

struct SchedulingPool {
  std::string name;
  int weight = 1;
  int running = 0;
  // By job, then by stage: parents before children.
  absl::btree_map<std::pair<int64_t, int64_t>, TaskSet*> sets;
};

// Threads: the driver core's event loop.
class SchedulingPools {
 public:
  explicit SchedulingPools(PoolOptions options) : options_(std::move(options)) {}

  // A set stands here while it has tasks that could be launched.
  void Add(TaskSet& set);
  void Remove(TaskSet& set);
  bool empty() const { return queued_count_ == 0; }

  // Offers sets one slot, in order, until `take` takes it. False: nobody did. `take` may remove the
  // set that it is called with.
  bool OfferSlot(absl::FunctionRef<bool(TaskSet&)> take);

  // For the shares.
  void TaskLaunched(TaskSet& set) { ++PoolOf(set).running; }
  void TaskEnded(TaskSet& set) { --PoolOf(set).running; }

 private:
  SchedulingPool& PoolOf(TaskSet& set);

  const PoolOptions options_;
  std::vector<std::unique_ptr<SchedulingPool>> pools_;  // In the order of the next offer.
  int queued_count_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_TASK_SCHEDULING_POOLS_H_
