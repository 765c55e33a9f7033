#include "driver/dag/stage_tree_builder.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "glog/logging.h"

namespace millrace::internal {
namespace {

void AppendBytes(const void* data, size_t size, std::string& out) {
  out.append(static_cast<const char*>(data), size);
}

void AppendSized(const std::string& text, std::string& out) {
  const uint64_t size = text.size();
  AppendBytes(&size, sizeof(size), out);
  out.append(text);
}

bool IsSelect(const StageNode& node) {
  return node.kind == StageNode::Kind::kOperator && !node.rdd->dependencies.empty() &&
         node.rdd->dependencies[0].kind == DependencyKind::kSelect;
}

bool HandsPartitionOn(const StageNode& node) {
  if (node.binding != BindingKind::kNone || node.inputs.size() != 1) return false;
  if (node.kind == StageNode::Kind::kRoot) return true;
  const DependencyKind kind = node.rdd->dependencies[0].kind;
  return kind == DependencyKind::kOneToOne || kind == DependencyKind::kShuffle;
}

}  // namespace

void StageTreeBuilder::Build(const RddRef& top) {
  Enter(top, /*is_top=*/true);
  while (!stack_.empty()) {
    Frame& frame = stack_.back();
    const std::vector<Dependency>& dependencies = (*frame.rdd)->dependencies;
    if (frame.next_dependency == dependencies.size()) {
      const RddRef& rdd = *frame.rdd;
      stack_.pop_back();
      Leave(rdd);
      continue;
    }
    const Dependency& dependency = dependencies[frame.next_dependency++];
    if (dependency.kind != DependencyKind::kShuffle) Enter(dependency.parent, /*is_top=*/false);
  }
  AddRoot(*top, index_of_.at(top.get()));
}

void StageTreeBuilder::Enter(const RddRef& rdd, bool is_top) {
  if (index_of_.contains(rdd.get())) return;
  const bool is_other_state = rdd->state != nullptr && !(is_top && tree_.root_.op == nullptr);
  if (is_other_state) {
    tree_.state_inputs_.push_back(rdd);
    index_of_.emplace(rdd.get(), AddCachedRead(*rdd));
    return;
  }
  const bool is_kept = rdd->state == nullptr && rdd->type != nullptr &&
                       rdd->storage_level.load() != StorageLevel::kNone;
  if (is_kept && cached_.IsComplete(rdd->rdd_id, rdd->num_partitions)) {
    index_of_.emplace(rdd.get(), AddCachedRead(*rdd));
    return;
  }
  stack_.push_back({&rdd, 0});
}

void StageTreeBuilder::Leave(const RddRef& rdd) {
  int32_t index = AddOperator(*rdd);
  const StorageLevel level = rdd->storage_level.load();
  if (rdd->state == nullptr && rdd->type != nullptr && level != StorageLevel::kNone) {
    index = AddCacheWrite(*rdd, level, index);
  }
  index_of_.emplace(rdd.get(), index);
}

int32_t StageTreeBuilder::AddCachedRead(const RddNode& rdd) {
  CHECK(rdd.type != nullptr) << rdd.op->label << " is kept but its record type has no operators";
  StageNode node;
  node.kind = StageNode::Kind::kCachedRead;
  node.binding = BindingKind::kCached;
  node.rdd = &rdd;
  return Add(std::move(node));
}

int32_t StageTreeBuilder::AddShuffleRead(const Dependency& dependency) {
  const auto [entry, is_new] = shuffle_reads_.try_emplace(dependency.shuffle->shuffle_id, 0);
  if (!is_new) return entry->second;
  tree_.shuffles_.push_back(&dependency);
  StageNode node;
  node.kind = StageNode::Kind::kShuffleRead;
  node.binding = dependency.shuffle->read->binding;
  node.shuffle = &dependency;
  return entry->second = Add(std::move(node));
}

int32_t StageTreeBuilder::AddOperator(const RddNode& rdd) {
  StageNode node;
  node.binding = rdd.op->binding;
  node.rdd = &rdd;
  if (rdd.state != nullptr) node.storage_level = rdd.storage_level.load();
  for (const Dependency& dependency : rdd.dependencies) {
    node.inputs.push_back(dependency.kind == DependencyKind::kShuffle
                              ? AddShuffleRead(dependency)
                              : index_of_.at(dependency.parent.get()));
  }
  AddBroadcasts(*rdd.op);
  return Add(std::move(node));
}

int32_t StageTreeBuilder::AddCacheWrite(const RddNode& rdd, StorageLevel level, int32_t input) {
  tree_.written_.push_back(&rdd);
  StageNode node;
  node.kind = StageNode::Kind::kCacheWrite;
  node.binding = BindingKind::kCached;
  node.rdd = &rdd;
  node.storage_level = level;
  node.inputs.push_back(input);
  return Add(std::move(node));
}

void StageTreeBuilder::AddRoot(const RddNode& top, int32_t input) {
  if (tree_.root_.op == nullptr) return;
  AddBroadcasts(*tree_.root_.op);
  StageNode node;
  node.kind = StageNode::Kind::kRoot;
  node.binding = tree_.root_.op->binding;
  node.rdd = &top;
  node.inputs.push_back(input);
  Add(std::move(node));
}

void StageTreeBuilder::AddBroadcasts(const OperatorSpec& op) {
  for (const BroadcastUse& use : op.broadcasts) {
    tree_.broadcast_ids_.push_back(use.broadcast_id);
  }
}

int32_t StageTreeBuilder::Add(StageNode node) {
  const int32_t index = static_cast<int32_t>(tree_.nodes_.size());
  if (IsSelect(node)) NumberChoices(node);
  node.bind = BindStart(node, index);
  node.digest = Digest(node);
  tree_.nodes_.push_back(std::move(node));
  return index;
}

// The first of equal inputs stands for them all, so that the union of the batches of a window has
// one plan however many they are.
void StageTreeBuilder::NumberChoices(StageNode& node) const {
  absl::flat_hash_map<PlanDigest, uint32_t> choices;
  int first = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const PlanDigest& digest = tree_.nodes_[static_cast<size_t>(node.inputs[i])].digest;
    const uint32_t next = static_cast<uint32_t>(choices.size());
    node.choice.push_back(choices.try_emplace(digest, next).first->second);
    node.first_partition.push_back(first);
    first += node.rdd->dependencies[i].parent->num_partitions;
  }
}

int32_t StageTreeBuilder::BindStart(const StageNode& node, int32_t index) const {
  if (!HandsPartitionOn(node)) return index;
  return tree_.nodes_[static_cast<size_t>(node.inputs[0])].bind;
}

PlanDigest StageTreeBuilder::Digest(const StageNode& node) {
  const NodeOperator op = OperatorOf(node, tree_.root_);
  scratch_.clear();
  scratch_.push_back(static_cast<char>(node.binding));
  AppendSized(*op.operator_name, scratch_);
  AppendSized(*op.params, scratch_);
  AppendSized(*op.label, scratch_);
  uint32_t distinct = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.choice.empty()) {
      if (node.choice[i] != distinct) continue;  // Seen before.
      ++distinct;
    }
    const PlanDigest& input = tree_.nodes_[static_cast<size_t>(node.inputs[i])].digest;
    AppendBytes(&input, sizeof(input), scratch_);
  }
  const XXH128_hash_t hash = XXH3_128bits(scratch_.data(), scratch_.size());
  return {hash.low64, hash.high64};
}

}  // namespace millrace::internal
