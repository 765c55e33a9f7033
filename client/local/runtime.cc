#include "client/local/runtime.h"

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/local/local_runtime.h"
#include "common/base/status_macros.h"
#include "common/config/keys.h"
#include "common/config/master_url.h"
#include "common/fs/file_util.h"
#include "driver/task/pool_file.h"

namespace millrace::internal {
namespace {

constexpr uint64_t kPoolFileBytesMax = 1 << 20;
// Each takes a thread.
constexpr int64_t kConcurrentJobsMax = 1024;

absl::StatusOr<LocalMaster> ReadMaster(const Conf& conf) {
  ASSIGN_OR_RETURN(const std::string url, conf.GetString(keys::kMaster));
  ASSIGN_OR_RETURN(const MasterUrl master, ParseMasterUrl(url));
  if (const auto* local = std::get_if<LocalMaster>(&master)) return *local;
  return absl::InvalidArgumentError(
      absl::StrCat("millrace.master: '", url, "' needs processes of a cluster, which this build ",
                   "does not have; it runs local, local[N] and local[*]"));
}

absl::StatusOr<PoolOptions> ReadPools(const Conf& conf, FileSystem& fs) {
  PoolOptions options;
  ASSIGN_OR_RETURN(const std::string mode, conf.GetString(keys::kSchedulerMode));
  options.is_fair = mode == "FAIR";
  const std::optional<std::string> path = conf.GetString(keys::kSchedulerAllocationFile);
  if (!options.is_fair || !path.has_value()) return options;
  const auto where = [&](const absl::Status& status) {
    return absl::InvalidArgumentError(
        absl::StrCat("millrace.scheduler.allocation.file: '", *path, "': ", status.message()));
  };
  const absl::StatusOr<std::string> text = ReadWholeFile(fs, *path, kPoolFileBytesMax);
  if (!text.ok()) return where(text.status());
  auto pools = ParsePools(*text);
  if (!pools.ok()) return where(pools.status());
  options.pools = *std::move(pools);
  return options;
}

absl::StatusOr<LocalRuntime::Options> ReadOptions(const Conf& conf, FileSystem& fs) {
  ASSIGN_OR_RETURN(const LocalMaster master, ReadMaster(conf));
  LocalRuntime::Options options;
  options.task_threads = master.threads != LocalMaster::kAllCores
                             ? master.threads
                             : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  ASSIGN_OR_RETURN(const int64_t max_failures, conf.GetInt(keys::kTaskMaxFailures));
  // local[N,F] says it itself.
  options.tasks.max_failures =
      master.max_failures > 1 ? master.max_failures : static_cast<int>(max_failures);
  ASSIGN_OR_RETURN(options.tasks.locality_wait, conf.GetDuration(keys::kLocalityWait));
  ASSIGN_OR_RETURN(options.tasks.pools, ReadPools(conf, fs));
  ASSIGN_OR_RETURN(const int64_t concurrent_jobs, conf.GetInt(keys::kConcurrentJobs));
  options.concurrent_jobs = static_cast<int>(std::min(concurrent_jobs, kConcurrentJobsMax));
  ASSIGN_OR_RETURN(const int64_t memory_bytes, conf.GetBytes(keys::kExecutorMemory));
  ASSIGN_OR_RETURN(const double fraction, conf.GetDouble(keys::kMemoryFraction));
  options.memory_bytes = static_cast<size_t>(static_cast<double>(memory_bytes) * fraction);
  ASSIGN_OR_RETURN(options.local_dir, conf.GetString(keys::kLocalDir));
  return options;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Runtime>> StartRuntime(const Conf& conf,
                                                      const RuntimeOptions& runtime_options,
                                                      FileSystem& fs) {
  ASSIGN_OR_RETURN(LocalRuntime::Options options, ReadOptions(conf, fs));
  options.manual_clock = runtime_options.manual_clock;
  options.driver_epoch = runtime_options.driver_epoch;
  auto runtime = std::make_shared<LocalRuntime>(options, fs);
  if (options.manual_clock) runtime->AdvanceClock(runtime_options.start_time - Time(0));
  return runtime;
}

}  // namespace millrace::internal
