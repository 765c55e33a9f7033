#include "driver/task/scheduling_pools.h"

#include <algorithm>

namespace millrace::internal {

SchedulingPool& SchedulingPools::PoolOf(TaskSet& set) {
  if (set.pool_ != nullptr) return *set.pool_;
  const std::string name = options_.is_fair ? set.pool_name_ : std::string();
  for (const auto& pool : pools_) {
    if (pool->name == name) {
      set.pool_ = pool.get();
      return *pool;
    }
  }
  auto pool = std::make_unique<SchedulingPool>();
  pool->name = name;
  const auto weight = options_.weights.find(name);
  if (weight != options_.weights.end()) pool->weight = std::max(1, weight->second);
  pools_.push_back(std::move(pool));
  set.pool_ = pools_.back().get();
  return *pools_.back();
}

void SchedulingPools::Add(TaskSet& set) {
  if (set.queued_) return;
  set.queued_ = true;
  ++queued_count_;
  PoolOf(set).sets.emplace(std::pair(set.job_id_, set.order_), &set);
}

void SchedulingPools::Remove(TaskSet& set) {
  if (!set.queued_) return;
  set.queued_ = false;
  --queued_count_;
  PoolOf(set).sets.erase({set.job_id_, set.order_});
}

bool SchedulingPools::OfferSlot(absl::FunctionRef<bool(TaskSet&)> take) {
  if (pools_.size() > 1) {
    std::stable_sort(pools_.begin(), pools_.end(), [](const auto& a, const auto& b) {
      return int64_t{a->running} * b->weight < int64_t{b->running} * a->weight;
    });
  }
  for (const auto& pool : pools_) {
    for (const auto& [key, set] : pool->sets) {
      if (take(*set)) return true;
    }
  }
  return false;
}

}  // namespace millrace::internal
