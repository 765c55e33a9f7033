#include "common/config/demand.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/config/keys.h"

namespace millrace {

namespace {

constexpr int64_t kCoresMax = 1 << 16;

// 0: not set.
absl::StatusOr<int32_t> CoresOf(const Conf& conf, const OptionalIntKey& key) {
  ASSIGN_OR_RETURN(const auto cores, conf.GetInt(key));
  if (cores.value_or(0) <= kCoresMax) return static_cast<int32_t>(cores.value_or(0));
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(key.name), ": '", *cores, "' is not allowed: at most ", kCoresMax));
}

}  // namespace

absl::StatusOr<proto::Demand> DemandOf(const Conf& conf) {
  proto::Demand demand;
  ASSIGN_OR_RETURN(const int32_t cores_max, CoresOf(conf, keys::kCoresMax));
  ASSIGN_OR_RETURN(const int32_t cores, CoresOf(conf, keys::kExecutorCores));
  ASSIGN_OR_RETURN(const int64_t memory_bytes, conf.GetBytes(keys::kExecutorMemory));
  demand.set_cores_max(cores_max);
  demand.set_cores_per_worker(cores);
  demand.set_memory_mb_per_worker(std::max<int64_t>(memory_bytes >> 20, 1));
  return demand;
}

absl::StatusOr<bool> TakesAllWorkers(const Conf& conf) {
  ASSIGN_OR_RETURN(const auto instances, conf.GetInt(keys::kExecutorInstances));
  ASSIGN_OR_RETURN(const bool may_change, conf.GetBool(keys::kStreamingDynamicAllocationEnabled));
  return !instances.has_value() && !may_change;
}

absl::StatusOr<int> WorkersAtFirst(const Conf& conf, int possible, int workers_max) {
  ASSIGN_OR_RETURN(const auto instances, conf.GetInt(keys::kExecutorInstances));
  ASSIGN_OR_RETURN(const bool may_change, conf.GetBool(keys::kStreamingDynamicAllocationEnabled));
  ASSIGN_OR_RETURN(const auto at_least, conf.GetInt(keys::kStreamingMinExecutors));
  ASSIGN_OR_RETURN(const auto at_most, conf.GetInt(keys::kStreamingMaxExecutors));
  int64_t workers = instances.value_or(possible);
  if (may_change) {
    workers = std::min(workers, at_most.value_or(workers));
    workers = std::max(workers, at_least.value_or(workers));
  }
  return static_cast<int>(std::clamp<int64_t>(workers, 1, workers_max));
}

}  // namespace millrace
