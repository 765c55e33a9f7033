#include "driver/daemon/allocation.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"

namespace millrace {

namespace {

// One application's turn.
class Turn {
 public:
  Turn(const ApplicationFacts& application, std::vector<NodeFacts>& nodes, bool is_spread)
      : demand_(application.demand),
        nodes_(nodes),
        is_spread_(is_spread),
        cores_left_(demand_.cores_max() > 0 ? demand_.cores_max() - application.cores_held
                                            : std::numeric_limits<int>::max()),
        workers_(nodes.size()) {
    for (size_t i = 0; i < nodes.size(); ++i) {
      const auto held = application.workers_held.find(nodes[i].executor_id);
      if (held != application.workers_held.end()) workers_[i] = held->second;
    }
  }

  // The node of one more worker, which is taken; none: there is no room for it.
  std::optional<size_t> PlaceWorker(int cores) {
    if (cores_left_ < cores) return std::nullopt;
    std::optional<size_t> best;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (Fits(i, cores) && (!best.has_value() || IsBetter(i, *best))) best = i;
    }
    if (best.has_value()) {
      Take(*best, cores);
      cores_left_ -= cores;
    }
    return best;
  }

  // One worker on a node that has none; cores go round in turns, or fill node after node.
  std::vector<int> ShareCores() {
    std::vector<size_t> chosen;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (Fits(i, 1) && workers_[i] == 0) chosen.push_back(i);
    }
    std::stable_sort(chosen.begin(), chosen.end(), [&](size_t a, size_t b) {
      return nodes_[a].cores_free > nodes_[b].cores_free;
    });
    std::vector<int> cores(chosen.size());
    bool has_more = true;
    while (has_more && cores_left_ > 0) {
      has_more = false;
      for (size_t i = 0; i < chosen.size(); ++i) {
        const int free = nodes_[chosen[i]].cores_free - cores[i];
        const int share = std::min({free, cores_left_, is_spread_ ? 1 : free});
        if (share <= 0) continue;
        cores[i] += share;
        cores_left_ -= share;
        has_more = true;
      }
    }
    for (size_t i = 0; i < chosen.size(); ++i) Take(chosen[i], cores[i]);
    std::erase(cores, 0);
    return cores;
  }

 private:
  bool Fits(size_t node, int cores) const {
    return nodes_[node].cores_free >= cores &&
           nodes_[node].memory_mb_free >= demand_.memory_mb_per_worker();
  }

  void Take(size_t node, int cores) {
    if (cores == 0) return;
    nodes_[node].cores_free -= cores;
    nodes_[node].memory_mb_free -= demand_.memory_mb_per_worker();
    ++workers_[node];
  }

  bool IsBetter(size_t a, size_t b) const {
    if (is_spread_) {
      if (workers_[a] != workers_[b]) return workers_[a] < workers_[b];
      return nodes_[a].cores_free > nodes_[b].cores_free;
    }
    if (workers_[a] != workers_[b]) return workers_[a] > workers_[b];
    return nodes_[a].cores_free < nodes_[b].cores_free;
  }

  const proto::Demand& demand_;
  std::vector<NodeFacts>& nodes_;
  const bool is_spread_;
  int cores_left_;
  std::vector<int> workers_;  // Of this application, by node.
};

std::string WhyNotNow(const ApplicationFacts& application, const std::vector<NodeFacts>& nodes) {
  const int cores = application.wanted_cores.front();
  proto::Demand demand = application.demand;
  demand.set_cores_per_worker(cores);
  if (std::string never = WhyNever(demand, nodes); !never.empty()) return never;
  if (demand.cores_max() > 0 && demand.cores_max() - application.cores_held < cores) {
    return absl::StrCat("the application holds ", application.cores_held, " of the ",
                        demand.cores_max(), " cores that it may have in all");
  }
  return absl::StrCat("no executor has ", cores, " cores and ", demand.memory_mb_per_worker(),
                      " MiB free now");
}

}  // namespace

std::string WhyNever(const proto::Demand& demand, const std::vector<NodeFacts>& nodes) {
  if (nodes.empty()) {
    return "no executor is registered: start one with millrace-executor --driver=HOST:PORT";
  }
  const int cores = std::max(demand.cores_per_worker(), 1);
  int cores_largest = 0;
  int64_t memory_largest = 0;
  int64_t memory_of_fitting = 0;
  for (const NodeFacts& node : nodes) {
    cores_largest = std::max(cores_largest, node.cores);
    memory_largest = std::max(memory_largest, node.memory_mb);
    if (node.cores >= cores) memory_of_fitting = std::max(memory_of_fitting, node.memory_mb);
  }
  const int64_t memory = demand.memory_mb_per_worker();
  if (cores > cores_largest) {
    return absl::StrCat("no executor has ", cores, " cores: the largest has ", cores_largest);
  }
  if (memory > memory_largest) {
    return absl::StrCat("no executor has ", memory, " MiB of memory: the largest has ",
                        memory_largest, " MiB");
  }
  if (memory > memory_of_fitting) {
    return absl::StrCat("no executor has both ", cores, " cores and ", memory, " MiB of memory");
  }
  if (demand.cores_max() > 0 && demand.cores_max() < cores) {
    return absl::StrCat("a worker of ", cores, " cores is more than the ", demand.cores_max(),
                        " cores that the application may have in all");
  }
  return "";
}

std::vector<int> PossibleWorkers(const ApplicationFacts& application, std::vector<NodeFacts>& nodes,
                                 bool is_spread) {
  const int cores = application.demand.cores_per_worker();
  Turn turn(application, nodes, is_spread);
  if (cores == 0) return turn.ShareCores();
  std::vector<int> workers;
  while (turn.PlaceWorker(cores).has_value()) workers.push_back(cores);
  return workers;
}

Allocation Allocate(const std::vector<ApplicationFacts>& applications, std::vector<NodeFacts> nodes,
                    bool is_spread) {
  Allocation allocation;
  for (size_t i = 0; i < applications.size(); ++i) {
    Turn turn(applications[i], nodes, is_spread);
    bool gets_one = false;
    for (const int cores : applications[i].wanted_cores) {
      const std::optional<size_t> node = turn.PlaceWorker(cores);
      if (!node.has_value()) break;
      allocation.placements.push_back({.application = i, .node = *node, .cores = cores});
      gets_one = true;
    }
    const bool waits = !gets_one && !applications[i].wanted_cores.empty();
    allocation.waiting.push_back(waits ? WhyNotNow(applications[i], nodes) : "");
  }
  return allocation;
}

}  // namespace millrace
