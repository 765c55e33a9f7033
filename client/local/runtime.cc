#include "client/local/runtime.h"

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/cluster/daemon_cluster.h"
#include "client/cluster/local_cluster.h"
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

// Of every master.
struct CommonOptions {
  TaskOptions tasks;
  int concurrent_jobs = 1;
  std::string local_dir;
};

absl::StatusOr<ExclusionOptions> ReadExclusion(const Conf& conf) {
  ExclusionOptions options;
  ASSIGN_OR_RETURN(options.is_enabled, conf.GetBool(keys::kExcludeOnFailureEnabled));
  ASSIGN_OR_RETURN(options.timeout, conf.GetDuration(keys::kExcludeOnFailureTimeout));
  ASSIGN_OR_RETURN(const int64_t tasks, conf.GetInt(keys::kMaxFailedTasksPerExecutor));
  options.max_failed_tasks = static_cast<int>(tasks);
  ASSIGN_OR_RETURN(options.max_failed_workers, conf.GetInt(keys::kMaxFailedExecutorsPerNode));
  return options;
}

absl::StatusOr<SpeculationOptions> ReadSpeculation(const Conf& conf) {
  SpeculationOptions options;
  ASSIGN_OR_RETURN(options.is_enabled, conf.GetBool(keys::kSpeculation));
  ASSIGN_OR_RETURN(options.interval, conf.GetDuration(keys::kSpeculationInterval));
  ASSIGN_OR_RETURN(options.multiplier, conf.GetDouble(keys::kSpeculationMultiplier));
  ASSIGN_OR_RETURN(options.quantile, conf.GetDouble(keys::kSpeculationQuantile));
  ASSIGN_OR_RETURN(options.min_runtime, conf.GetDuration(keys::kSpeculationMinTaskRuntime));
  return options;
}

absl::StatusOr<CommonOptions> ReadCommon(const Conf& conf, FileSystem& fs) {
  CommonOptions options;
  ASSIGN_OR_RETURN(const int64_t max_failures, conf.GetInt(keys::kTaskMaxFailures));
  options.tasks.max_failures = static_cast<int>(max_failures);
  ASSIGN_OR_RETURN(options.tasks.locality_wait, conf.GetDuration(keys::kLocalityWait));
  ASSIGN_OR_RETURN(options.tasks.exclusion, ReadExclusion(conf));
  ASSIGN_OR_RETURN(options.tasks.speculation, ReadSpeculation(conf));
  ASSIGN_OR_RETURN(options.tasks.pools, ReadPools(conf, fs));
  ASSIGN_OR_RETURN(const int64_t concurrent_jobs, conf.GetInt(keys::kConcurrentJobs));
  options.concurrent_jobs = static_cast<int>(std::min(concurrent_jobs, kConcurrentJobsMax));
  ASSIGN_OR_RETURN(options.local_dir, conf.GetString(keys::kLocalDir));
  return options;
}

absl::StatusOr<std::shared_ptr<Runtime>> StartLocal(const LocalMaster& master, const Conf& conf,
                                                    const RuntimeOptions& runtime_options,
                                                    FileSystem& fs) {
  ASSIGN_OR_RETURN(const CommonOptions common, ReadCommon(conf, fs));
  LocalRuntime::Options options;
  options.task_threads = master.threads != LocalMaster::kAllCores
                             ? master.threads
                             : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  options.tasks = common.tasks;
  // local[N,F] says it itself.
  if (master.max_failures > 1) options.tasks.max_failures = master.max_failures;
  options.concurrent_jobs = common.concurrent_jobs;
  ASSIGN_OR_RETURN(const int64_t memory_bytes, conf.GetBytes(keys::kExecutorMemory));
  ASSIGN_OR_RETURN(const double fraction, conf.GetDouble(keys::kMemoryFraction));
  options.memory_bytes = static_cast<size_t>(static_cast<double>(memory_bytes) * fraction);
  options.local_dir = common.local_dir;
  options.manual_clock = runtime_options.manual_clock;
  options.driver_epoch = runtime_options.driver_epoch;
  return std::make_shared<LocalRuntime>(options, fs);
}

absl::StatusOr<std::shared_ptr<Runtime>> StartMaster(const MasterUrl& master, const Conf& conf,
                                                     const RuntimeOptions& runtime_options,
                                                     FileSystem& fs) {
  if (const auto* local = std::get_if<LocalMaster>(&master)) {
    return StartLocal(*local, conf, runtime_options, fs);
  }
  ASSIGN_OR_RETURN(const CommonOptions common, ReadCommon(conf, fs));
  ClusterRuntime::Options options;
  options.tasks = common.tasks;
  options.concurrent_jobs = common.concurrent_jobs;
  options.manual_clock = runtime_options.manual_clock;
  options.driver_epoch = runtime_options.driver_epoch;
  if (conf.Get(keys::kNetworkTimeout.name).has_value()) {
    ASSIGN_OR_RETURN(const auto timeout, conf.GetDuration(keys::kNetworkTimeout));
    options.worker_timeout_micros =
        std::chrono::duration_cast<std::chrono::microseconds>(timeout).count();
  }
  if (const auto* local_cluster = std::get_if<LocalClusterMaster>(&master)) {
    return StartLocalCluster(*local_cluster, conf, std::move(options), common.local_dir, fs);
  }
  return StartDaemonCluster(std::get<ClusterMaster>(master), conf, runtime_options.earlier_driver,
                            std::move(options), fs);
}

}  // namespace

absl::StatusOr<std::shared_ptr<Runtime>> StartRuntime(const Conf& conf,
                                                      const RuntimeOptions& options,
                                                      FileSystem& fs) {
  if (options.make_runtime != nullptr) return options.make_runtime(conf, options);
  ASSIGN_OR_RETURN(const std::string url, conf.GetString(keys::kMaster));
  ASSIGN_OR_RETURN(const MasterUrl master, ParseMasterUrl(url));
  ASSIGN_OR_RETURN(std::shared_ptr<Runtime> runtime, StartMaster(master, conf, options, fs));
  if (options.manual_clock) runtime->AdvanceClock(options.start_time - Time(0));
  return runtime;
}

}  // namespace millrace::internal
