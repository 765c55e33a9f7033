#include "client/local/streaming_settings.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "common/base/status_macros.h"
#include "common/config/keys.h"
#include "common/record/stable_hash.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

milliseconds ToMs(std::chrono::microseconds duration) {
  return std::chrono::ceil<milliseconds>(duration);
}

// Stays from run to run.
std::string NameOf(const Conf& conf) {
  const auto name = conf.GetString(keys::kAppName);
  return name.value_or(program_invocation_short_name);
}

// From 0 to below 1.
double ShareOf(std::string_view name) {
  constexpr int kBits = 53;
  return std::ldexp(static_cast<double>(StableHashBytes(name) >> (64 - kBits)), -kBits);
}

absl::Status ReadBackpressure(const Conf& conf, StreamingSpec& spec) {
  ASSIGN_OR_RETURN(spec.backpressure_enabled, conf.GetBool(keys::kBackpressureEnabled));
  ASSIGN_OR_RETURN(spec.pid_proportional, conf.GetDouble(keys::kPidProportional));
  ASSIGN_OR_RETURN(spec.pid_integral, conf.GetDouble(keys::kPidIntegral));
  ASSIGN_OR_RETURN(spec.pid_derived, conf.GetDouble(keys::kPidDerived));
  ASSIGN_OR_RETURN(spec.pid_min_rate, conf.GetDouble(keys::kPidMinRate));
  ASSIGN_OR_RETURN(const auto initial_rate, conf.GetInt(keys::kBackpressureInitialRate));
  spec.initial_rate = static_cast<double>(initial_rate.value_or(0));
  ASSIGN_OR_RETURN(const int64_t max_rate, conf.GetInt(keys::kReceiverMaxRate));
  spec.max_rate = static_cast<double>(std::max<int64_t>(0, max_rate));
  return absl::OkStatus();
}

absl::Status ReadScaling(const Conf& conf, StreamingSpec& spec) {
  ASSIGN_OR_RETURN(const bool is_enabled, conf.GetBool(keys::kStreamingDynamicAllocationEnabled));
  ASSIGN_OR_RETURN(const auto interval, conf.GetDuration(keys::kScalingInterval));
  ASSIGN_OR_RETURN(const double up_ratio, conf.GetDouble(keys::kScalingUpRatio));
  ASSIGN_OR_RETURN(const double down_ratio, conf.GetDouble(keys::kScalingDownRatio));
  ASSIGN_OR_RETURN(const auto workers_min, conf.GetInt(keys::kStreamingMinExecutors));
  ASSIGN_OR_RETURN(const auto workers_max, conf.GetInt(keys::kStreamingMaxExecutors));
  if (!is_enabled) return absl::OkStatus();
  const auto to_int = [](int64_t value) {
    return static_cast<int>(std::min<int64_t>(value, std::numeric_limits<int>::max()));
  };
  ScalingOptions& scaling = spec.scaling.emplace();
  scaling.interval = ToMs(interval);
  scaling.up_ratio = up_ratio;
  scaling.down_ratio = down_ratio;
  if (workers_min) scaling.workers_min = to_int(*workers_min);
  if (workers_max) scaling.workers_max = to_int(*workers_max);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StreamingSpec> ReadStreamingSettings(const Conf& conf) {
  StreamingSpec spec;
  ASSIGN_OR_RETURN(const int64_t concurrent_jobs, conf.GetInt(keys::kConcurrentJobs));
  spec.concurrent_jobs = static_cast<int>(concurrent_jobs);
  ASSIGN_OR_RETURN(const auto jitter, conf.GetDuration(keys::kBatchJitter));
  spec.batch_jitter = ToMs(jitter);
  spec.batch_jitter_share = ShareOf(NameOf(conf));
  ASSIGN_OR_RETURN(const auto block_interval, conf.GetDuration(keys::kBlockInterval));
  spec.block_interval = ToMs(block_interval);
  ASSIGN_OR_RETURN(const auto restart_delay, conf.GetDuration(keys::kReceiverRestartDelay));
  spec.receiver_restart_delay = ToMs(restart_delay);
  ASSIGN_OR_RETURN(const auto store_timeout, conf.GetDuration(keys::kBlockStoreTimeout));
  spec.block_store_timeout = ToMs(store_timeout);
  ASSIGN_OR_RETURN(const int64_t max_line_bytes, conf.GetBytes(keys::kMaxLineBytes));
  spec.max_line_bytes = static_cast<uint32_t>(max_line_bytes);
  ASSIGN_OR_RETURN(const auto stop_timeout, conf.GetDuration(keys::kGracefulStopTimeout));
  if (stop_timeout) spec.graceful_stop_timeout = ToMs(*stop_timeout);
  RETURN_IF_ERROR(ReadBackpressure(conf, spec));
  RETURN_IF_ERROR(ReadScaling(conf, spec));
  return spec;
}

bool ShowsConsoleProgress(const Conf& conf) {
  return conf.GetBool(keys::kShowConsoleProgress).value_or(false);
}

bool StopsGracefullyOnShutdown(const Conf& conf) {
  return conf.GetBool(keys::kStopGracefullyOnShutdown).value_or(true);
}

bool StopsContextByDefault(const Conf& conf) {
  return conf.GetBool(keys::kStopContextByDefault).value_or(true);
}

}  // namespace millrace::internal
