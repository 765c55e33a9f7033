// Walks a lineage and makes a stage's tree of it.
#ifndef MILLRACE_DRIVER_DAG_STAGE_TREE_BUILDER_H_
#define MILLRACE_DRIVER_DAG_STAGE_TREE_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "driver/dag/stage_tree.h"

namespace millrace::internal {

// Used once. The walk keeps its own stack, so that a lineage may be of any length, and visits a
// node once however many paths lead to it.
class StageTreeBuilder {
 public:
  StageTreeBuilder(StageTree& tree, const CachedPartitions& cached)
      : tree_(tree), cached_(cached) {}

  void Build(const RddRef& top);

 private:
  struct Frame {
    const RddRef* rdd;
    size_t next_dependency;
  };

  // Leaves get their node at once; others are pushed, to get theirs after their inputs.
  void Enter(const RddRef& rdd, bool is_top);
  void Leave(const RddRef& rdd);

  int32_t AddCachedRead(const RddNode& rdd);
  int32_t AddShuffleRead(const Dependency& dependency);
  int32_t AddOperator(const RddNode& rdd);
  int32_t AddCacheWrite(const RddNode& rdd, StorageLevel level, int32_t input);
  void AddRoot(const RddNode& top, int32_t input);
  void AddBroadcasts(const OperatorSpec& op);
  int32_t Add(StageNode node);

  void NumberChoices(StageNode& node) const;
  int32_t BindStart(const StageNode& node, int32_t index) const;
  PlanDigest Digest(const StageNode& node);

  StageTree& tree_;
  const CachedPartitions& cached_;
  std::vector<Frame> stack_;
  absl::flat_hash_map<const RddNode*, int32_t> index_of_;
  absl::flat_hash_map<int64_t, int32_t> shuffle_reads_;
  std::string scratch_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_DAG_STAGE_TREE_BUILDER_H_
