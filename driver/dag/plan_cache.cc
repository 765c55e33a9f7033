#include "driver/dag/plan_cache.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

namespace millrace::internal {
namespace {

constexpr uint32_t kStagePlanVersion = 1;

// Makes one plan node of all equal nodes of a tree.
class PlanWriter {
 public:
  explicit PlanWriter(const StageTree& tree) : tree_(tree) {
    message_.set_version(kStagePlanVersion);
    for (const StageNode& node : tree.nodes()) {
      const uint32_t next = static_cast<uint32_t>(message_.nodes_size());
      if (index_of_.try_emplace(node.digest, next).second) Write(node);
    }
  }

  proto::StagePlan Take() { return std::move(message_); }

 private:
  void Write(const StageNode& node) {
    const NodeOperator op = OperatorOf(node, tree_.root_spec());
    proto::PlanNode& out = *message_.add_nodes();
    out.set_operator_name(*op.operator_name);
    out.set_params(*op.params);
    out.set_label(*op.label);
    out.set_binding(static_cast<proto::BindingKind>(node.binding));
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool repeats =
          !node.choice.empty() && node.choice[i] != static_cast<uint32_t>(out.inputs_size());
      if (repeats) continue;
      out.add_inputs(index_of_.at(tree_.nodes()[static_cast<size_t>(node.inputs[i])].digest));
    }
  }

  const StageTree& tree_;
  proto::StagePlan message_;
  absl::flat_hash_map<PlanDigest, uint32_t> index_of_;
};

PlanRef MakePlan(const StageTree& tree) {
  proto::StagePlan message = PlanWriter(tree).Take();
  auto plan = std::make_shared<Plan>();
  plan->bytes = message.SerializeAsString();
  plan->digest = XXH3_64bits(plan->bytes.data(), plan->bytes.size());
  for (proto::PlanNode& node : *message.mutable_nodes()) {
    plan->labels.push_back(std::move(*node.mutable_label()));
  }
  return plan;
}

}  // namespace

PlanRef PlanCache::PlanOf(const StageTree& tree) {
  Entry& entry = entries_[tree.digest()];
  entry.last_use = ++uses_;
  if (entry.plan != nullptr) return entry.plan;
  PlanRef plan = entry.plan = MakePlan(tree);
  if (entries_.size() > kPlansMax) DropOldHalf();
  return plan;
}

void PlanCache::DropOldHalf() {
  std::vector<uint64_t> last_uses;
  last_uses.reserve(entries_.size());
  for (const auto& [digest, entry] : entries_) last_uses.push_back(entry.last_use);
  const auto middle = last_uses.begin() + static_cast<std::ptrdiff_t>(last_uses.size() / 2);
  std::nth_element(last_uses.begin(), middle, last_uses.end());
  const uint64_t oldest_kept = *middle;
  absl::erase_if(entries_, [&](const auto& item) { return item.second.last_use < oldest_kept; });
}

}  // namespace millrace::internal
