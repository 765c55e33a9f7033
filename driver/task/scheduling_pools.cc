#include "driver/task/scheduling_pools.h"

#include <algorithm>
#include <utility>

namespace millrace::internal {
namespace {

bool ComesBefore(const SchedulingPool& a, const SchedulingPool& b) {
  const bool a_is_needy = a.running < a.spec.min_share;
  const bool b_is_needy = b.running < b.spec.min_share;
  if (a_is_needy != b_is_needy) return a_is_needy;
  const int64_t a_load = int64_t{a.running} * (a_is_needy ? b.spec.min_share : b.spec.weight);
  const int64_t b_load = int64_t{b.running} * (a_is_needy ? a.spec.min_share : a.spec.weight);
  return a_load != b_load ? a_load < b_load : a.last_served < b.last_served;
}

}  // namespace

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
  const auto spec = options_.pools.find(name);
  if (options_.is_fair && spec != options_.pools.end()) pool->spec = spec->second;
  pools_.push_back(std::move(pool));
  set.pool_ = pools_.back().get();
  return *pools_.back();
}

void SchedulingPools::Add(TaskSet& set) {
  if (set.queued_) return;
  set.queued_ = true;
  ++queued_count_;
  PoolOf(set).sets.emplace(std::pair(set.job_id_, set.order_), &set);
  PutInByLoad(set);
}

void SchedulingPools::Remove(TaskSet& set) {
  if (!set.queued_) return;
  TakeOutByLoad(set);
  set.queued_ = false;
  --queued_count_;
  PoolOf(set).sets.erase({set.job_id_, set.order_});
}

bool SchedulingPools::OfferSlot(absl::FunctionRef<bool(TaskSet&)> take) {
  if (pools_.size() > 1) {
    std::stable_sort(pools_.begin(), pools_.end(),
                     [](const auto& a, const auto& b) { return ComesBefore(*a, *b); });
  }
  return std::any_of(pools_.begin(), pools_.end(),
                     [take](const auto& pool) { return Offer(*pool, take); });
}

bool SchedulingPools::Offer(const SchedulingPool& pool, absl::FunctionRef<bool(TaskSet&)> take) {
  if (pool.spec.is_fair) return OfferFairly(pool, take);
  for (const auto& [key, set] : pool.sets) {
    if (take(*set)) return true;
  }
  return false;
}

bool SchedulingPools::OfferFairly(const SchedulingPool& pool,
                                  absl::FunctionRef<bool(TaskSet&)> take) {
  // A set that takes the slot may move, which ends the walk; one that does not stays.
  return std::any_of(pool.by_load.begin(), pool.by_load.end(),
                     [take](const auto& entry) { return take(*std::get<TaskSet*>(entry)); });
}

void SchedulingPools::TakeOutByLoad(TaskSet& set) {
  SchedulingPool& pool = PoolOf(set);
  if (!pool.spec.is_fair || !set.queued_) return;
  pool.by_load.erase({set.running_count_, set.last_served_, set.job_id_, set.order_, &set});
}

void SchedulingPools::PutInByLoad(TaskSet& set) {
  SchedulingPool& pool = PoolOf(set);
  if (!pool.spec.is_fair || !set.queued_) return;
  pool.by_load.emplace(set.running_count_, set.last_served_, set.job_id_, set.order_, &set);
}

void SchedulingPools::TaskLaunched(TaskSet& set) {
  TakeOutByLoad(set);
  SchedulingPool& pool = PoolOf(set);
  ++pool.running;
  ++set.running_count_;
  pool.last_served = set.last_served_ = ++launches_;
  PutInByLoad(set);
}

void SchedulingPools::TaskEnded(TaskSet& set) {
  TakeOutByLoad(set);
  --PoolOf(set).running;
  --set.running_count_;
  PutInByLoad(set);
}

}  // namespace millrace::internal
