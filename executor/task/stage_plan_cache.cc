#include "executor/task/stage_plan_cache.h"

namespace millrace::internal {

void StagePlanCache::Register(uint64_t digest, const std::string& plan) {
  if (Find(digest) != nullptr) return;
  entries_.push_front({digest, ParsedPlan::Parse(plan), plan.size()});
  by_digest_[digest] = entries_.begin();
  bytes_ += plan.size();
  Shrink();
}

const StagePlanCache::PlanOrError* StagePlanCache::Find(uint64_t digest) {
  const auto it = by_digest_.find(digest);
  if (it == by_digest_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it->second);
  return &it->second->plan;
}

void StagePlanCache::Shrink() {
  // The newest stays, however large: its tasks follow it.
  while (entries_.size() > 1 && (entries_.size() > plans_max_ || bytes_ > bytes_max_)) {
    bytes_ -= entries_.back().bytes;
    by_digest_.erase(entries_.back().digest);
    entries_.pop_back();
  }
}

}  // namespace millrace::internal
