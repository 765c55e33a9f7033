// Stage plans by digest, so that a batch ships only what is new in it.
#ifndef MILLRACE_EXECUTOR_TASK_STAGE_PLAN_CACHE_H_
#define MILLRACE_EXECUTOR_TASK_STAGE_PLAN_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "executor/task/stage_plan.h"

namespace millrace::internal {

// Lives in the worker core, on its event loop. Keeps what was used last; a digest that was let go
// is answered as unknown, and the driver sends the plan again.
class StagePlanCache {
 public:
  static constexpr size_t kPlansMax = 1024;
  static constexpr size_t kBytesMax = size_t{64} << 20;

  explicit StagePlanCache(size_t plans_max = kPlansMax, size_t bytes_max = kBytesMax)
      : plans_max_(plans_max), bytes_max_(bytes_max) {}

  // Parses and keeps. A plan that cannot be parsed is kept as its error, which its tasks get.
  void Register(uint64_t digest, const std::string& plan);

  using PlanOrError = absl::StatusOr<std::shared_ptr<const ParsedPlan>>;
  // nullptr: unknown.
  const PlanOrError* Find(uint64_t digest);

  size_t plan_count() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    uint64_t digest;
    PlanOrError plan;
    size_t bytes;
  };

  void Shrink();

  const size_t plans_max_;
  const size_t bytes_max_;
  std::list<Entry> entries_;  // The one used last stands first.
  absl::flat_hash_map<uint64_t, std::list<Entry>::iterator> by_digest_;
  size_t bytes_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_TASK_STAGE_PLAN_CACHE_H_
