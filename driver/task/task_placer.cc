#include "driver/task/task_placer.h"

#include <algorithm>

namespace millrace::internal {

TaskPlacement TaskPlacer::Place(const StageTree& tree, int partition) {
  Workers candidates;
  std::vector<Leaf> unplaced;
  Workers shuffles;  // Where those gather that have a place.
  Workers preferred;
  bool reads_state = false;
  tree.VisitLeaves(partition, [&](const StageNode& node, int p) {
    Narrow(node, p, candidates, unplaced, shuffles);
    reads_state |= node.binding == BindingKind::kState;
    if (node.kind == StageNode::Kind::kOperator && !node.rdd->sources.empty()) {
      const SourcePartition& source = node.rdd->sources[static_cast<size_t>(p)];
      if (preferred.empty()) preferred = WorkersAt(source.preferred_hosts);
    }
  });
  if (!unplaced.empty()) {
    const int64_t home = candidates.empty() ? workers_.HomeOf(partition) : candidates[0];
    for (const Leaf& leaf : unplaced) PlaceLeaf(leaf, home);
    candidates = {home};
  }
  if (candidates.empty()) return {.workers = std::move(preferred)};
  const bool is_split = std::any_of(shuffles.begin(), shuffles.end(), [&](int64_t worker) {
    return std::find(candidates.begin(), candidates.end(), worker) == candidates.end();
  });
  const bool can_fetch = !reads_state && AllServeOthers(candidates);
  return {.workers = std::move(candidates),
          .is_mandatory = true,
          .is_split = is_split,
          .can_fetch = can_fetch};
}

bool TaskPlacer::AllServeOthers(const Workers& workers) const {
  return std::all_of(workers.begin(), workers.end(), [this](int64_t id) {
    const Worker* const worker = workers_.Find(id);
    return worker != nullptr && !worker->peer_address.empty();
  });
}

void TaskPlacer::NameHolders(int64_t worker_id, proto::TaskRequest& request) const {
  const auto name = [worker_id](const auto& holders, auto& binding) {
    if (holders.empty()) return;
    if (std::find(holders.begin(), holders.end(), worker_id) != holders.end()) return;
    binding.set_holder(holders[0]);
  };
  for (proto::Binding& binding : *request.mutable_bindings()) {
    if (binding.has_blocks()) {
      for (proto::BlockId& id : *binding.mutable_blocks()->mutable_blocks()) {
        name(data_.blocks.HoldersOf({id.stream_id(), id.sequence()}), id);
      }
    } else if (binding.has_cached() && binding.cached().storage_level() == 0) {
      proto::CachedBinding& place = *binding.mutable_cached();
      name(data_.cached.HoldersOf(place.rdd_id(), static_cast<int>(place.partition())), place);
    } else if (binding.has_shuffle()) {
      proto::ShuffleBinding& shuffle = *binding.mutable_shuffle();
      const int64_t holder = data_.shuffles.ReduceWorker(
          shuffle.shuffle_id(), static_cast<int>(shuffle.reduce_partition()));
      if (holder != MapOutputTracker::kUnplaced && holder != worker_id) shuffle.set_holder(holder);
    }
  }
}

void TaskPlacer::Narrow(const StageNode& node, int partition, Workers& candidates,
                        std::vector<Leaf>& unplaced, Workers& shuffles) {
  int64_t worker = MapOutputTracker::kUnplaced;
  switch (node.binding) {
    case BindingKind::kState:
      worker = data_.states.WorkerOf(node.rdd->state->state_id, partition);
      break;
    case BindingKind::kShuffle:
      worker = data_.shuffles.ReduceWorker(node.shuffle->shuffle->shuffle_id, partition);
      break;
    case BindingKind::kCached:
      return NarrowTo(data_.cached.HoldersOf(node.rdd->rdd_id, partition), candidates);
    case BindingKind::kBlocks:
      for (const BlockRef& block : node.rdd->sources[static_cast<size_t>(partition)].blocks) {
        NarrowTo(data_.blocks.HoldersOf(block), candidates);
      }
      return;
    default:
      return;
  }
  if (workers_.Find(worker) == nullptr) {
    unplaced.push_back({&node, partition});
  } else {
    if (node.binding == BindingKind::kShuffle) shuffles.push_back(worker);
    NarrowTo(Workers{worker}, candidates);
  }
}

// Of two inputs that no worker has both of, the one that was seen first decides: state is seen
// before what updates it.
template <class Holders>
void TaskPlacer::NarrowTo(const Holders& holders, Workers& candidates) const {
  Workers both;
  for (const int64_t worker : holders) {
    if (workers_.Find(worker) == nullptr) continue;
    const bool is_candidate =
        std::find(candidates.begin(), candidates.end(), worker) != candidates.end();
    if (candidates.empty() || is_candidate) both.push_back(worker);
  }
  if (!both.empty()) candidates = std::move(both);
}

void TaskPlacer::PlaceLeaf(const Leaf& leaf, int64_t worker_id) {
  if (leaf.node->binding == BindingKind::kState) {
    data_.states.Place(leaf.node->rdd->state->state_id, leaf.partition, worker_id);
  } else {
    data_.shuffles.PlaceReduce(leaf.node->shuffle->shuffle->shuffle_id, leaf.partition, worker_id);
  }
}

TaskPlacer::Workers TaskPlacer::WorkersAt(const std::vector<std::string>& hosts) const {
  Workers found;
  if (hosts.empty()) return found;
  for (const auto& worker : workers_.all()) {
    if (std::find(hosts.begin(), hosts.end(), worker->host) != hosts.end()) {
      found.push_back(worker->id);
    }
  }
  return found;
}

}  // namespace millrace::internal
