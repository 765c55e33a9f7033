// The part of a lineage that one stage computes.
#ifndef MILLRACE_DRIVER_DAG_STAGE_TREE_H_
#define MILLRACE_DRIVER_DAG_STAGE_TREE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "driver/block/cached_partitions.h"
#include "driver/lineage/rdd_node.h"
#include "proto/plan.pb.h"

namespace millrace::internal {

// Names what a node and all below it do, whatever they read. 128 bits: equal digests are taken for
// equal plans.
struct PlanDigest {
  uint64_t low = 0;
  uint64_t high = 0;

  friend bool operator==(const PlanDigest&, const PlanDigest&) = default;
  template <class H>
  friend H AbslHashValue(H state, const PlanDigest& digest) {
    return H::combine(std::move(state), digest.low);
  }
};

struct StageNode {
  enum class Kind : uint8_t {
    kOperator,  // `*rdd->op`
    kShuffleRead,
    kCachedRead,
    kCacheWrite,  // Tee above the operator of the same `rdd`.
    kRoot,
  };

  Kind kind = Kind::kOperator;
  BindingKind binding = BindingKind::kNone;
  const RddNode* rdd = nullptr;                      // Of the root: the stage's data set.
  const Dependency* shuffle = nullptr;               // kShuffleRead
  StorageLevel storage_level = StorageLevel::kNone;  // kCacheWrite, and operators with state.
  // Where binding a partition goes on: this node, or, when it has nothing to bind and hands its
  // partition on to one input, the first node below for which that is not so.
  int32_t bind = 0;
  absl::InlinedVector<int32_t, 2> inputs;  // Of the tree, one for each dependency.
  // kSelect: the first partition of each dependency, and its index among the plan's inputs, of
  // which equal ones are one.
  std::vector<int> first_partition;
  std::vector<uint32_t> choice;
  PlanDigest digest;
};

// What the records of a stage end in.
struct StageRoot {
  OperatorRef op;          // Null: the stage ends in its data set's own operator.
  int64_t shuffle_id = 0;  // Shuffle writes.
  int reduce_count = 0;
  std::string output_path;  // File sinks.
};

// Cut out of the lineage above a data set: it ends at shuffles, at updates of state other than its
// own, and at persisted data sets of which every partition is known to be kept. A persisted data
// set that is not kept yet is computed and kept by the way.
//
// Immutable. Refers to nodes of the lineage, which the stage keeps alive.
// Invariant: inputs stand before the nodes that read them; the root is last.
class StageTree {
 public:
  StageTree(const RddRef& top, StageRoot root, const CachedPartitions& cached);

  const std::vector<StageNode>& nodes() const { return nodes_; }
  const StageNode& root() const { return nodes_.back(); }
  const StageRoot& root_spec() const { return root_; }
  const PlanDigest& digest() const { return nodes_.back().digest; }

  // What the stage needs from others, each once.
  const std::vector<const Dependency*>& shuffles() const { return shuffles_; }
  const std::vector<RddRef>& state_inputs() const { return state_inputs_; }
  // Persisted data sets that the stage keeps by the way.
  const std::vector<const RddNode*>& written() const { return written_; }
  const std::vector<int64_t>& broadcast_ids() const { return broadcast_ids_; }

  // One task's bindings, in the order that plan.proto defines.
  void AppendBindings(int partition, google::protobuf::RepeatedPtrField<proto::Binding>* out) const;
  // Every leaf that one task reads, with its own partition number.
  void VisitLeaves(int partition, absl::FunctionRef<void(const StageNode&, int)> visit) const;

 private:
  friend class StageTreeBuilder;

  using Pending = absl::InlinedVector<std::pair<int32_t, int>, 16>;
  // Pushes the inputs that `partition` of `node` draws on, the first on top; gives the value of a
  // select's or concat's own binding.
  uint32_t PushInputs(const StageNode& node, int partition, Pending& pending) const;
  void Bind(const StageNode& node, int partition, uint32_t choice, proto::Binding& binding) const;

  StageRoot root_;
  std::vector<StageNode> nodes_;
  std::vector<const Dependency*> shuffles_;
  std::vector<RddRef> state_inputs_;
  std::vector<const RddNode*> written_;
  std::vector<int64_t> broadcast_ids_;
};

// The registered operator that a node of the tree stands for, its data and its label.
struct NodeOperator {
  const std::string* operator_name;
  const std::string* params;
  const std::string* label;
};
NodeOperator OperatorOf(const StageNode& node, const StageRoot& root);

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_DAG_STAGE_TREE_H_
