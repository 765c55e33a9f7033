#include "driver/daemon/registration.h"

#include <xxhash.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace millrace {
namespace {

constexpr int64_t kMemoryMbMax = int64_t{1} << 30;
constexpr int kWorkersMax = 10'000;
constexpr size_t kIdSizeMax = 200;

bool IsPossible(int64_t cores, int64_t memory_mb) {
  return cores >= 1 && cores <= kWorkerCoresMax && memory_mb >= 1 && memory_mb <= kMemoryMbMax;
}

}  // namespace

bool IsPossible(const proto::RegisterExecutor& request) {
  return !request.executor_id().empty() && request.executor_id().size() <= kIdSizeMax &&
         IsPossible(request.cores(), request.memory_mb()) &&
         request.workers_size() <= kWorkersMax &&
         std::all_of(request.workers().begin(), request.workers().end(),
                     [](const proto::WorkerRef& worker) {
                       return IsPossible(worker.cores(), worker.memory_mb());
                     });
}

absl::Status CheckDemand(const proto::Demand& demand) {
  const bool is_good =
      demand.cores_max() >= 0 && demand.cores_max() <= kWorkerCoresMax &&
      demand.cores_per_worker() >= 0 && demand.cores_per_worker() <= kWorkerCoresMax &&
      demand.memory_mb_per_worker() > 0 && demand.memory_mb_per_worker() <= kMemoryMbMax;
  if (is_good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "a demand of ", demand.cores_max(), " cores in workers of ", demand.cores_per_worker(),
      " cores and ", demand.memory_mb_per_worker(), " MiB is not possible"));
}

uint64_t FingerprintOf(const proto::Program& program) {
  const std::string bytes = program.SerializeAsString();
  return XXH3_64bits(bytes.data(), bytes.size());
}

bool IsOfSubmission(const proto::ApplicationRecord& record,
                    const proto::RegisterApplication& request) {
  return !request.submission_id().empty() && record.submission_id() == request.submission_id();
}

}  // namespace millrace
