#include "driver/dag/stage_tree.h"

#include <algorithm>
#include <utility>

#include "driver/dag/stage_tree_builder.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

void BindBlocks(const SourcePartition& source, proto::BlocksBinding& binding) {
  for (size_t i = 0; i < source.blocks.size(); ++i) {
    proto::BlockId* const id = binding.add_blocks();
    id->set_stream_id(source.blocks[i].stream_id);
    id->set_sequence(source.blocks[i].sequence);
    if (source.log_places.empty()) continue;
    const BlockLogPlace& place = source.log_places[i];
    id->mutable_place()->set_directory(place.directory);
    id->mutable_place()->set_segment(place.segment);
    id->mutable_place()->set_offset(place.offset);
    id->mutable_place()->set_size_bytes(place.size_bytes);
  }
}

void BindShuffle(const Dependency& dependency, int partition, proto::ShuffleBinding& binding) {
  binding.set_shuffle_id(dependency.shuffle->shuffle_id);
  binding.set_reduce_partition(static_cast<uint32_t>(partition));
  binding.set_map_count(static_cast<uint32_t>(dependency.parent->num_partitions));
}

void BindCached(const StageNode& node, int partition, proto::CachedBinding& binding) {
  binding.set_rdd_id(node.rdd->rdd_id);
  binding.set_partition(static_cast<uint32_t>(partition));
  binding.set_storage_level(static_cast<uint32_t>(node.storage_level));
}

}  // namespace

StageTree::StageTree(const RddRef& top, StageRoot root, const CachedPartitions& cached)
    : root_(std::move(root)) {
  StageTreeBuilder(*this, cached).Build(top);
  std::sort(broadcast_ids_.begin(), broadcast_ids_.end());
  broadcast_ids_.erase(std::unique(broadcast_ids_.begin(), broadcast_ids_.end()),
                       broadcast_ids_.end());
}

// Both walks are depth-first preorder over the part of the tree that the partition draws on.
void StageTree::AppendBindings(int partition,
                               google::protobuf::RepeatedPtrField<proto::Binding>* out) const {
  Pending pending;
  pending.emplace_back(root().bind, partition);
  while (!pending.empty()) {
    const auto [index, p] = pending.back();
    pending.pop_back();
    const StageNode& node = nodes_[static_cast<size_t>(index)];
    const uint32_t choice = PushInputs(node, p, pending);
    if (node.binding != BindingKind::kNone) Bind(node, p, choice, *out->Add());
  }
}

void StageTree::VisitLeaves(int partition,
                            absl::FunctionRef<void(const StageNode&, int)> visit) const {
  Pending pending;
  pending.emplace_back(root().bind, partition);
  while (!pending.empty()) {
    const auto [index, p] = pending.back();
    pending.pop_back();
    const StageNode& node = nodes_[static_cast<size_t>(index)];
    if (node.inputs.empty() || node.binding == BindingKind::kState) visit(node, p);
    PushInputs(node, p, pending);
  }
}

uint32_t StageTree::PushInputs(const StageNode& node, int partition, Pending& pending) const {
  if (node.inputs.empty()) return 0;
  const auto push = [&](size_t input, int p) {
    pending.emplace_back(nodes_[static_cast<size_t>(node.inputs[input])].bind, p);
  };
  if (node.kind != StageNode::Kind::kOperator) {
    push(0, partition);
    return 0;
  }
  const std::vector<Dependency>& dependencies = node.rdd->dependencies;
  switch (dependencies[0].kind) {
    case DependencyKind::kSelect: {
      // Of dependencies without partitions, which begin where the next one does, the last is meant.
      const auto after =
          std::upper_bound(node.first_partition.begin(), node.first_partition.end(), partition);
      const size_t chosen = static_cast<size_t>(after - node.first_partition.begin()) - 1;
      push(chosen, partition - node.first_partition[chosen]);
      return node.choice.empty() ? 0 : node.choice[chosen];
    }
    case DependencyKind::kConcat: {
      const std::vector<int>& group = dependencies[0].groups[static_cast<size_t>(partition)];
      for (size_t i = group.size(); i > 0; --i) push(0, group[i - 1]);
      return static_cast<uint32_t>(group.size());
    }
    case DependencyKind::kProduct: {
      const int inner = dependencies[1].parent->num_partitions;
      push(1, partition % inner);
      push(0, partition / inner);
      return 0;
    }
    case DependencyKind::kOneToOne:
    case DependencyKind::kShuffle:
      for (size_t i = node.inputs.size(); i > 0; --i) push(i - 1, partition);
      return 0;
  }
  return 0;
}

void StageTree::Bind(const StageNode& node, int partition, uint32_t choice,
                     proto::Binding& binding) const {
  switch (node.binding) {
    case BindingKind::kNone:
      return;
    case BindingKind::kBlocks:
      BindBlocks(node.rdd->sources[static_cast<size_t>(partition)], *binding.mutable_blocks());
      return;
    case BindingKind::kShuffle:
      BindShuffle(*node.shuffle, partition, *binding.mutable_shuffle());
      return;
    case BindingKind::kCached:
      BindCached(node, partition, *binding.mutable_cached());
      return;
    case BindingKind::kSplit:
      binding.set_split(node.rdd->sources[static_cast<size_t>(partition)].split);
      return;
    case BindingKind::kSelect:
      binding.set_select(choice);
      return;
    case BindingKind::kConcat:
      binding.set_concat(choice);
      return;
    case BindingKind::kState: {
      proto::StateBinding& state = *binding.mutable_state();
      state.set_state_id(node.rdd->state->state_id);
      state.set_partition(static_cast<uint32_t>(partition));
      state.set_batch_time_ms(node.rdd->state->batch_time_ms);
      state.set_previous_time_ms(node.rdd->state->previous_time_ms);
      state.set_rdd_id(node.rdd->rdd_id);
      state.set_storage_level(static_cast<uint32_t>(node.storage_level));
      state.set_snapshot_path(node.rdd->state->snapshot.path);
      state.set_snapshot_time_ms(node.rdd->state->snapshot.time_ms);
      state.set_snapshot_since_ms(node.rdd->state->snapshot.since_ms);
      state.set_restores(node.rdd->state->restores);
      return;
    }
    case BindingKind::kOutput: {
      proto::OutputBinding& output = *binding.mutable_output();
      output.set_shuffle_id(root_.shuffle_id);
      output.set_map_partition(static_cast<uint32_t>(partition));
      output.set_reduce_count(static_cast<uint32_t>(root_.reduce_count));
      if (!root_.output_path.empty()) output.set_path(root_.output_path);
      return;
    }
  }
}

NodeOperator OperatorOf(const StageNode& node, const StageRoot& root) {
  switch (node.kind) {
    case StageNode::Kind::kOperator:
      return {&node.rdd->op->operator_name, &node.rdd->op->params, &node.rdd->op->label};
    case StageNode::Kind::kShuffleRead: {
      const OperatorSpec& read = *node.shuffle->shuffle->read;
      return {&read.operator_name, &read.params, &read.label};
    }
    case StageNode::Kind::kCachedRead:
      return {&node.rdd->type->cached_read->operator_name, &node.rdd->type->cached_read->params,
              &node.rdd->op->label};
    case StageNode::Kind::kCacheWrite:
      return {&node.rdd->type->cached_write->operator_name, &node.rdd->type->cached_write->params,
              &node.rdd->op->label};
    case StageNode::Kind::kRoot:
      return {&root.op->operator_name, &root.op->params, &root.op->label};
  }
  LOG(FATAL) << "a node of no kind";
}

}  // namespace millrace::internal
