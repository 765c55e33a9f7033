#include "client/local/streaming_core.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <typeinfo>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/local/console_progress.h"
#include "client/local/engine_thread.h"
#include "client/local/run_log.h"
#include "client/local/streaming_settings.h"
#include "client/source/receiver_factory.h"
#include "common/base/status_macros.h"
#include "common/concurrent/named_thread.h"
#include "common/config/keys.h"
#include "common/fs/file_system.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForever(-1);

// Which run of this process is active, and where it was started.
struct ActiveRun {
  absl::Mutex mutex;
  const StreamingCore* run ABSL_GUARDED_BY(mutex) = nullptr;
  Location where ABSL_GUARDED_BY(mutex);
};

ActiveRun& Active() {
  static ActiveRun& active = *new ActiveRun;
  return active;
}

absl::Status BecomeActive(const StreamingCore* run, Location where) {
  const absl::MutexLock lock(&Active().mutex);
  if (Active().run != nullptr && Active().run != run) {
    return absl::FailedPreconditionError(
        absl::StrCat("another StreamingContext of this process is active: it was started at ",
                     ToString(Active().where), "; stop it first"));
  }
  Active().run = run;
  Active().where = where;
  return absl::OkStatus();
}

void BecomeInactive(const StreamingCore* run) {
  const absl::MutexLock lock(&Active().mutex);
  if (Active().run == run) Active().run = nullptr;
}

}  // namespace

StreamingCore::StreamingCore(std::shared_ptr<ContextCore> context, milliseconds batch_interval)
    : context_(std::move(context)),
      batch_interval_(batch_interval),
      graph_(std::make_shared<StreamGraph>(context_->state(), batch_interval)) {}

StreamingCore::~StreamingCore() {
  if (state() == RunState::kActive) Stop(/*graceful=*/false, /*stop_context=*/false);
  std::vector<std::thread> stoppers;
  std::unique_ptr<StopSignals> signals;
  {
    const absl::MutexLock lock(&mutex_);
    signals = std::move(signals_);
  }
  signals.reset();  // From here on nobody adds stoppers.
  {
    const absl::MutexLock lock(&mutex_);
    stoppers = std::move(stoppers_);
  }
  for (std::thread& stopper : stoppers) stopper.join();
  graph_->Stop();
}

void StreamingCore::AwaitStart() const {
  const auto has_started = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !is_starting_; };
  mutex_.Await(absl::Condition(&has_started));
}

RunState StreamingCore::state() const {
  const absl::MutexLock lock(&mutex_);
  AwaitStart();
  return state_;
}

std::shared_ptr<StreamingHandle> StreamingCore::run() const {
  const absl::MutexLock lock(&mutex_);
  AwaitStart();
  return run_;
}

void StreamingCore::AddListener(std::shared_ptr<StreamingListener> listener) {
  if (listener == nullptr) return;
  const StreamingListener& named = *listener;
  std::string name = ClassName(typeid(named));
  auto guarded = GuardListener(std::move(listener));
  const absl::MutexLock lock(&mutex_);
  if (run_ != nullptr) run_->AddListener(guarded, name, ListensTo::kAll);
  listeners_.emplace_back(std::move(guarded), std::move(name));
}

void StreamingCore::Checkpoint(const Operation& operation, const std::string& directory) {
  if (!graph_->CheckOpen(operation)) return;
  if (directory.empty()) return graph_->SetCheckpointDirectory("");
  const std::string absolute = std::filesystem::absolute(directory).string();
  const absl::Status made = context_->state()->fs->CreateDirs(absolute);
  if (made.ok()) {
    graph_->SetCheckpointDirectory(absolute);
    const std::lock_guard lock(context_->state()->checkpoint_mutex);
    context_->state()->checkpoint_dir = absolute;
  } else {
    graph_->AddError(operation, made.ToString());
  }
}

void StreamingCore::RecoverFrom(const Operation& operation, const std::string& directory) {
  if (graph_->checkpoint_directory().empty()) Checkpoint(operation, directory);
  const std::string absolute = std::filesystem::absolute(directory).lexically_normal().string();
  const std::string own =
      std::filesystem::path(graph_->checkpoint_directory()).lexically_normal().string();
  if (own != absolute) {
    graph_->AddError(operation, absl::StrCat("the context is to be recovered from '", absolute,
                                             "', and its checkpoint directory is '", own, "'"));
  }
  const absl::MutexLock lock(&mutex_);
  recovers_ = true;
}

absl::Status StreamingCore::Start(Location where, bool catch_signals) {
  {
    const absl::MutexLock lock(&mutex_);
    AwaitStart();
    if (state_ == RunState::kActive) {
      LOG(WARNING) << "StreamingContext::Start: the context has been started already";
      return absl::OkStatus();
    }
    if (state_ == RunState::kStopped) {
      return absl::FailedPreconditionError(
          "a stopped StreamingContext cannot be started again; make a new one");
    }
    // The only failure that leaves the context as it was.
    RETURN_IF_ERROR(BecomeActive(this, where));
    is_starting_ = true;
  }
  absl::StatusOr<StreamingSpec> spec = StartGraph();
  const absl::MutexLock lock(&mutex_);
  is_starting_ = false;
  start_status_ = StartRun(std::move(spec), catch_signals);
  state_ = start_status_.ok() ? RunState::kActive : RunState::kStopped;
  if (!start_status_.ok()) {
    finished_ = true;
    run_ = nullptr;
    if (signals_ != nullptr) signals_->Disarm();
    BecomeInactive(this);
  }
  return start_status_;
}

absl::StatusOr<StreamingSpec> StreamingCore::StartGraph() {
  RETURN_IF_ERROR(context_->status());
  RETURN_IF_ERROR(graph_->Start());
  ASSIGN_OR_RETURN(StreamingSpec spec, MakeSpec());
  bool recovers = false;
  {
    const absl::MutexLock lock(&mutex_);
    recovers = recovers_;
  }
  RETURN_IF_ERROR(RecoverGraph(recovers, spec));
  return spec;
}

absl::Status StreamingCore::RecoverGraph(bool recovers, StreamingSpec& spec) {
  if (recovers) {
    ASSIGN_OR_RETURN(spec.resume, graph_->Recover());
    if (spec.resume) RETURN_IF_ERROR(MoveManualClock(*spec.resume));
  }
  ASSIGN_OR_RETURN(spec.recovered, graph_->ReadEarlierLogs(recovers));
  spec.receivers = graph_->Receivers();
  return absl::OkStatus();
}

absl::Status StreamingCore::MoveManualClock(const ResumePoint& from) {
  const std::shared_ptr<Runtime> runtime = context_->runtime();
  if (runtime == nullptr || !context_->has_manual_clock()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto jump, context_->state()->conf.GetDuration(keys::kManualClockJump));
  const Time target = from.last_time + std::chrono::floor<milliseconds>(jump);
  const Time now = runtime->Now();
  if (now < target) runtime->AdvanceClock(target - now);
  return absl::OkStatus();
}

absl::StatusOr<StreamingSpec> StreamingCore::MakeSpec() {
  ASSIGN_OR_RETURN(StreamingSpec spec, ReadStreamingSettings(context_->state()->conf));
  spec.batch_interval = batch_interval_;
  spec.graph = graph_;
  spec.direct_streams = graph_->DirectStreams();
  return spec;
}

absl::Status StreamingCore::StartRun(absl::StatusOr<StreamingSpec> spec, bool catch_signals) {
  RETURN_IF_ERROR(spec.status());
  const std::shared_ptr<Runtime> runtime = context_->runtime();
  if (runtime == nullptr) return absl::FailedPreconditionError("the Context has been stopped");
  run_ = runtime->NewStreaming();
  if (run_ == nullptr) return absl::FailedPreconditionError("the Context has been stopped");
  context_->SetStreaming(weak_from_this());
  AddListeners();
  if (catch_signals) {
    signals_ = std::make_unique<StopSignals>([this](int count) { OnSignal(count); });
  }
  return run_->Start(*std::move(spec));
}

void StreamingCore::AddListeners() {
  run_->AddListener(std::make_shared<RunLog>(), "RunLog", ListensTo::kTrouble);
  if (context_->event_log() != nullptr) {
    run_->AddListener(context_->event_log(), "EventLog", ListensTo::kAll);
  }
  if (isatty(STDERR_FILENO) != 0 && ShowsConsoleProgress(context_->state()->conf)) {
    run_->AddListener(std::make_shared<ConsoleProgress>(), "ConsoleProgress", ListensTo::kAll);
  }
  for (const auto& [listener, name] : listeners_) {
    run_->AddListener(listener, name, ListensTo::kAll);
  }
}

void StreamingCore::OnSignal(int count) {
  if (count == 1) {
    const bool graceful = StopsGracefullyOnShutdown(context_->state()->conf);
    std::fputs(
        graceful ? "\nStopping: what was received is still processed. Once more to stop at once.\n"
                 : "\nStopping at once.\n",
        stderr);
    StopBehind(graceful, /*stop_context=*/true);
    return;
  }
  {
    // If user code hangs, a third signal must be able to end the process.
    const absl::MutexLock lock(&mutex_);
    if (signals_ != nullptr) signals_->Disarm();
  }
  std::fputs("\nStopping at once. Once more to end the process, whatever it does.\n", stderr);
  StopBehind(/*graceful=*/false, /*stop_context=*/true);
}

void StreamingCore::StopBehind(bool graceful, bool stop_context) {
  const absl::MutexLock lock(&mutex_);
  if (state_ != RunState::kActive) return;
  stoppers_.push_back(StartThread("stop", [this, run = run_, graceful, stop_context] {
    StopRun(*run, graceful, stop_context);
  }));
}

void StreamingCore::Stop(bool graceful, bool stop_context) {
  if (state() == RunState::kActive) {
    if (OnEngineThread()) return StopBehind(graceful, stop_context);
    return StopRun(*run(), graceful, stop_context);
  }
  {
    const absl::MutexLock lock(&mutex_);
    LOG(WARNING) << "StreamingContext::Stop: the context "
                 << (state_ == RunState::kStopped ? "has been stopped already"
                                                  : "has not been started");
    state_ = RunState::kStopped;
    finished_ = true;
  }
  graph_->Stop();
  if (stop_context && !OnEngineThread()) context_->Stop();
}

void StreamingCore::StopRun(StreamingHandle& run, bool graceful, bool stop_context) {
  {
    const absl::MutexLock lock(&mutex_);
    ++stops_under_way_;
  }
  run.Stop(graceful);
  run.AwaitStopped(kForever);
  if (graceful) graph_->SaveStates();
  {
    const absl::MutexLock lock(&mutex_);
    state_ = RunState::kStopped;
    if (signals_ != nullptr) signals_->Disarm();
  }
  BecomeInactive(this);
  graph_->Stop();
  if (stop_context) context_->Stop();
  const absl::MutexLock lock(&mutex_);
  if (--stops_under_way_ == 0) finished_ = true;
}

bool StreamingCore::WasCutOff() const {
  const absl::MutexLock lock(&mutex_);
  return state_ == RunState::kActive && stops_under_way_ == 0;
}

absl::StatusOr<bool> StreamingCore::Await(milliseconds timeout) {
  const std::shared_ptr<StreamingHandle> run = this->run();
  if (run != nullptr) {
    const StreamingResult result = run->Await(timeout);
    if (!result.status.ok()) return result.status;
    if (!result.stopped) return false;
    if (WasCutOff()) StopRun(*run, /*graceful=*/false, /*stop_context=*/false);
  }
  RETURN_IF_ERROR(graph_->late_error());
  const absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(start_status_);
  if (state_ == RunState::kInitialized) {
    return absl::FailedPreconditionError("the StreamingContext has not been started");
  }
  const auto finished = absl::Condition(this, &StreamingCore::IsFinished);
  if (!OnEngineThread()) mutex_.Await(finished);
  return true;
}

absl::Status StreamingCore::RestartDriver() {
  if (state() != RunState::kActive) {
    return absl::FailedPreconditionError("the StreamingContext is not active");
  }
  if (graph_->checkpoint_directory().empty()) {
    return absl::FailedPreconditionError("there is no checkpoint directory to recover from");
  }
  graph_->WriteCheckpoint();
  RETURN_IF_ERROR(context_->RestartRuntime());
  graph_->Restart();
  ASSIGN_OR_RETURN(StreamingSpec spec, MakeSpec());
  RETURN_IF_ERROR(RecoverGraph(/*recovers=*/true, spec));
  const absl::MutexLock lock(&mutex_);
  return StartRun(std::move(spec), /*catch_signals=*/false);
}

absl::Status StreamingCore::RunBatch(Time batch_time, milliseconds timeout) {
  const std::shared_ptr<StreamingHandle> run = this->run();
  const std::shared_ptr<Runtime> runtime = context_->runtime();
  if (run == nullptr || runtime == nullptr) {
    return absl::FailedPreconditionError("the StreamingContext is not active");
  }
  runtime->AdvanceClock(batch_interval_);
  return run->AwaitBatch(batch_time, timeout);
}

}  // namespace millrace::internal
