#include "client/local/runtime.h"

#include <algorithm>
#include <string>
#include <thread>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/local/local_runtime.h"
#include "common/base/status_macros.h"
#include "common/config/keys.h"
#include "common/config/master_url.h"

namespace millrace::internal {
namespace {

absl::StatusOr<LocalMaster> ReadMaster(const Conf& conf) {
  ASSIGN_OR_RETURN(const std::string url, conf.GetString(keys::kMaster));
  ASSIGN_OR_RETURN(const MasterUrl master, ParseMasterUrl(url));
  if (const auto* local = std::get_if<LocalMaster>(&master)) return *local;
  return absl::InvalidArgumentError(
      absl::StrCat("millrace.master: '", url, "' needs processes of a cluster, which this build ",
                   "does not have; it runs local, local[N] and local[*]"));
}

absl::StatusOr<LocalRuntime::Options> ReadOptions(const Conf& conf) {
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
  ASSIGN_OR_RETURN(LocalRuntime::Options options, ReadOptions(conf));
  options.manual_clock = runtime_options.manual_clock;
  return std::make_shared<LocalRuntime>(options, fs);
}

}  // namespace millrace::internal
