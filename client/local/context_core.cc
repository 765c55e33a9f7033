#include "client/local/context_core.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "client/local/earlier_driver.h"
#include "client/local/engine_thread.h"
#include "client/local/program_flags.h"
#include "client/local/streaming_core.h"
#include "common/base/status_macros.h"
#include "common/config/keys.h"
#include "common/config/validate_conf.h"
#include "common/fs/local_file_system.h"
#include "common/time/system_clock.h"
#include "driver/event/event_log.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// Handles that outlive their context may still look at files.
FileSystem& LocalFiles() {
  static FileSystem& fs = *new LocalFileSystem;
  return fs;
}

FileSystem& FilesOf(const RuntimeOptions& options) {
  return options.fs != nullptr ? *options.fs : LocalFiles();
}

absl::StatusOr<std::shared_ptr<Runtime>> CheckAndStart(const Conf& conf,
                                                       const RuntimeOptions& options) {
  std::vector<std::string> warnings;
  const absl::Status valid = ValidateConf(conf, &warnings);
  for (const std::string& warning : warnings) LOG(WARNING) << warning;
  RETURN_IF_ERROR(valid);
  return StartRuntime(conf, options, FilesOf(options));
}

int DefaultParallelism(const Conf& conf, Runtime& runtime) {
  const auto configured = conf.GetInt(keys::kDefaultParallelism);
  if (configured.ok() && configured->has_value()) return static_cast<int>(**configured);
  return std::max(1, runtime.driver().total_slots());
}

// The settings are valid.
std::shared_ptr<StreamingListener> MakeEventLog(const Conf& conf) {
  if (!conf.GetBool(keys::kEventLogEnabled).value_or(false)) return nullptr;
  EventLog::Options options;
  options.directory = *conf.GetString(keys::kEventLogDir);
  options.app_name = conf.GetString(keys::kAppName).value_or("");
  options.master = *conf.GetString(keys::kMaster);
  options.process_id = getpid();
  options.file_bytes_max = *conf.GetBytes(keys::kEventLogMaxSize);
  options.files_max = static_cast<int>(*conf.GetInt(keys::kEventLogMaxRetainedFiles));
  options.now_ms = [] { return WallClockMicros() / 1000; };
  return std::make_shared<EventLog>(LocalFiles(), options);
}

}  // namespace

ContextCore::ContextCore(const Conf& program_conf, const RuntimeOptions& options)
    : runtime_options_(options), state_(std::make_shared<ContextState>()) {
  runtime_options_.earlier_driver = TakeEarlierDriver();
  state_->conf = program_conf;
  state_->conf.MergeBelow(ProgramConf());
  state_->fs = &FilesOf(options);
  absl::StatusOr<std::shared_ptr<Runtime>> runtime = CheckAndStart(state_->conf, runtime_options_);
  if (runtime.ok()) {
    state_->default_parallelism = DefaultParallelism(state_->conf, **runtime);
    // A driver under a manual clock may be restarted.
    gate_ = std::make_shared<DriverGate>(*runtime, options.manual_clock
                                                       ? DriverGate::KeepsBroadcasts::kYes
                                                       : DriverGate::KeepsBroadcasts::kNo);
    event_log_ = MakeEventLog(state_->conf);
    runtime_ = *std::move(runtime);
  } else {
    status_ = runtime.status();
    gate_ = std::make_shared<DriverGate>(status_);
  }
  state_->driver = gate_;
}

ContextCore::~ContextCore() { StopRuntime(); }

std::shared_ptr<Runtime> ContextCore::runtime() const {
  const absl::MutexLock lock(&mutex_);
  return runtime_;
}

void ContextCore::SetStreaming(std::weak_ptr<StreamingCore> streaming) {
  const absl::MutexLock lock(&mutex_);
  streaming_ = std::move(streaming);
}

// Whoever waits for a streaming run must learn of its end, so it is stopped as if on its own. It
// comes back here when it has ended, on a thread that may wait.
void ContextCore::Stop() {
  std::shared_ptr<StreamingCore> streaming;
  {
    const absl::MutexLock lock(&mutex_);
    streaming = std::exchange(streaming_, {}).lock();
  }
  if (streaming != nullptr && streaming->state() == RunState::kActive) {
    streaming->Stop(/*graceful=*/false, /*stop_context=*/true);
  } else if (OnEngineThread()) {
    LOG(ERROR) << "Context::Stop has no effect here: its streaming run has stopped, and it cannot "
                  "wait for the function that calls it";
  } else {
    StopRuntime();
  }
}

absl::Status ContextCore::RestartRuntime() {
  const std::shared_ptr<Runtime> old = runtime();
  if (old == nullptr) return absl::FailedPreconditionError("the context has been stopped");
  runtime_options_.start_time = old->Now();
  ++runtime_options_.driver_epoch;
  old->Stop();
  ASSIGN_OR_RETURN(std::shared_ptr<Runtime> fresh,
                   StartRuntime(state_->conf, runtime_options_, FilesOf(runtime_options_)));
  gate_->Replace(fresh);
  const absl::MutexLock lock(&mutex_);
  runtime_ = std::move(fresh);
  return absl::OkStatus();
}

void ContextCore::StopRuntime() {
  std::shared_ptr<Runtime> runtime;
  {
    const absl::MutexLock lock(&mutex_);
    runtime = std::exchange(runtime_, nullptr);
  }
  if (runtime == nullptr) return;
  runtime->Stop();
  gate_->Close(absl::CancelledError("the context has been stopped"));
}

}  // namespace millrace::internal
