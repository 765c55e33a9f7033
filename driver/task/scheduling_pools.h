// In which order the task sets of concurrent jobs are offered a free slot.
#ifndef MILLRACE_DRIVER_TASK_SCHEDULING_POOLS_H_
#define MILLRACE_DRIVER_TASK_SCHEDULING_POOLS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "driver/task/task_set.h"

namespace millrace::internal {

struct PoolSpec {
  int weight = 1;     // Its share of the slots, for that of others.
  int min_share = 0;  // Running tasks that it gets before others get more than theirs.
  // Within the pool: the job with the fewest running tasks first, else jobs in order.
  bool is_fair = false;

  friend bool operator==(const PoolSpec&, const PoolSpec&) = default;
};

struct PoolOptions {
  // FIFO: jobs in the order of their submission, whatever their pools. FAIR: a pool that has less
  // than its least share comes first, then the one with the fewest running tasks for its weight, of
  // equal ones the one that was served longest ago (so that they take turns on a single slot).
  bool is_fair = false;
  // By name. A pool that is not here is made as PoolSpec says when a job names it.
  std::map<std::string, PoolSpec> pools;
};

struct SchedulingPool {
  std::string name;
  PoolSpec spec;
  int running = 0;
  int64_t last_served = 0;  // The number of the launch.
  // By job, then by stage: parents before children.
  absl::btree_map<std::pair<int64_t, int64_t>, TaskSet*> sets;
  // Of a fair pool, the same: by running tasks, then by the latest launch, then as above.
  absl::btree_set<std::tuple<int, int64_t, int64_t, int64_t, TaskSet*>> by_load;
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

  // Count a set's running tasks, for the shares.
  void TaskLaunched(TaskSet& set);
  void TaskEnded(TaskSet& set);

 private:
  SchedulingPool& PoolOf(TaskSet& set);
  // Around whatever changes a set's place in `by_load`.
  void TakeOutByLoad(TaskSet& set);
  void PutInByLoad(TaskSet& set);
  static bool Offer(const SchedulingPool& pool, absl::FunctionRef<bool(TaskSet&)> take);
  static bool OfferFairly(const SchedulingPool& pool, absl::FunctionRef<bool(TaskSet&)> take);

  const PoolOptions options_;
  std::vector<std::unique_ptr<SchedulingPool>> pools_;  // In the order of the next offer.
  int queued_count_ = 0;
  int64_t launches_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_TASK_SCHEDULING_POOLS_H_
