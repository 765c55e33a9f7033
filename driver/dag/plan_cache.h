// Serialized plans by what they do, so that the batches of a stream share one.
#ifndef MILLRACE_DRIVER_DAG_PLAN_CACHE_H_
#define MILLRACE_DRIVER_DAG_PLAN_CACHE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "driver/dag/stage_tree.h"

namespace millrace::internal {

// A StagePlan, ready to be registered at workers. Immutable, shared by the stages that run it.
struct Plan {
  uint64_t digest = 0;  // xxh3 of `bytes`; what tasks name.
  std::string bytes;
  std::vector<std::string> labels;  // By plan node.
};
using PlanRef = std::shared_ptr<const Plan>;

// Threads: the driver core's event loop.
class PlanCache {
 public:
  // Plans that change with every batch (a value bound into a function) must not pile up; a stream
  // of a hundred operations has some dozens. A plan in use outlives its place in the cache.
  static constexpr size_t kPlansMax = 1024;

  PlanRef PlanOf(const StageTree& tree);

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    PlanRef plan;
    uint64_t last_use = 0;
  };

  void DropOldHalf();

  absl::flat_hash_map<PlanDigest, Entry> entries_;
  uint64_t uses_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_DAG_PLAN_CACHE_H_
