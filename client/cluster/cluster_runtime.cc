#include "client/cluster/cluster_runtime.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cluster/binary_digest.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// Batches being made and listeners, which may wait for one another and for the jobs of batches.
constexpr int kJobThreads = 8;
constexpr std::chrono::milliseconds kStartTimeout{60'000};
// Before a worker is replaced; doubles while workers end before they have joined.
constexpr int64_t kReplaceDelayMicros = 50'000;
constexpr int64_t kReplaceDelayMaxMicros = 10'000'000;

RealEnv::Options EnvOptions(const ClusterRuntime::Options& options) {
  RealEnv::Options env;
  env.name = "driver";
  env.job_threads = kJobThreads + options.concurrent_jobs;
  env.manual_wall_clock = options.manual_clock;
  return env;
}

DriverOptions MakeDriverOptions(const ClusterRuntime::Options& options) {
  DriverOptions driver;
  driver.tasks = options.tasks;
  driver.epoch = options.driver_epoch;
  driver.worker_timeout_micros = options.worker_timeout_micros;
  driver.repairs_states = true;
  return driver;
}

}  // namespace

ClusterRuntime::ClusterRuntime(Options options, std::unique_ptr<WorkerLauncher> launcher,
                               FileSystem& fs)
    : options_(std::move(options)),
      fs_(fs),
      env_(EnvOptions(options_), fs),
      transport_(env_),
      driver_(env_, *this, MakeDriverOptions(options_)),
      launcher_(std::move(launcher)) {}

ClusterRuntime::~ClusterRuntime() { Stop(); }

absl::StatusOr<std::shared_ptr<ClusterRuntime>> ClusterRuntime::Start(
    Options options, std::unique_ptr<WorkerLauncher> launcher, FileSystem& fs) {
  const std::shared_ptr<ClusterRuntime> runtime(
      new ClusterRuntime(std::move(options), std::move(launcher), fs));
  RETURN_IF_ERROR(runtime->BringUp());
  return runtime;
}

absl::Status ClusterRuntime::BringUp() {
  GrpcDriverTransport::Options listen;
  listen.listen_host = options_.listen_host;
  listen.application_id = options_.spec.application_id;
  listen.security = options_.security;
  ASSIGN_OR_RETURN(listen.binary_digest, BinaryDigest());
  RETURN_IF_ERROR(transport_.Listen(listen, *this));
  WorkerSpec spec = options_.spec;
  spec.driver_address = absl::StrCat(options_.listen_host, ":", transport_.port());
  RETURN_IF_ERROR(launcher_->Start(spec, *this));
  env_.Post([this] {
    for (int i = 0; i < options_.workers; ++i) LaunchWorker();
  });
  const Beginning beginning = beginning_.WaitUntil(
      [this](const Beginning& now) {
        return now.joined_count >= options_.workers || !now.failure.empty();
      },
      kStartTimeout, [](const Beginning& now) { return now; });
  if (beginning.joined_count >= options_.workers) return absl::OkStatus();
  if (!beginning.failure.empty()) return absl::UnavailableError(beginning.failure);
  return absl::UnavailableError(absl::StrCat(
      beginning.joined_count, " of ", options_.workers, " workers have come up within ",
      kStartTimeout.count() / 1000, " s; the program must call millrace::Init first thing"));
}

std::shared_ptr<StreamingHandle> ClusterRuntime::NewStreaming() {
  // The handle posts to the env, so it keeps this alive.
  auto run = driver_.NewStreaming();
  if (run == nullptr) return nullptr;
  StreamingHandle* const handle = run.get();
  auto holder = std::make_shared<
      std::pair<std::shared_ptr<ClusterRuntime>, std::shared_ptr<StreamingHandle>>>(
      shared_from_this(), std::move(run));
  return std::shared_ptr<StreamingHandle>(std::move(holder), handle);
}

void ClusterRuntime::Stop() {
  driver_.Stop();
  env_.Post([this] {
    is_stopping_ = true;
    for (const auto& [id, phase] : workers_) {
      proto::ToWorker message;
      message.mutable_shutdown();
      if (phase == WorkerPhase::kJoined) {
        transport_.SendToWorker(id, std::move(message));
      } else {
        launcher_->Kill(id);
      }
    }
  });
  launcher_->Stop();
  env_.Stop();
  driver_.EnvStopped();
  transport_.Stop();
  if (!options_.work_dir.empty()) {
    const absl::Status removed = fs_.DeleteRecursively(options_.work_dir);
    if (!removed.ok()) LOG(WARNING) << removed;
  }
}

// ---------------------------------------------------------------------------------------------
// Workers come and go.

void ClusterRuntime::LaunchWorker() {
  if (is_stopping_) return;
  const int64_t id = ++last_worker_id_;
  workers_[id] = WorkerPhase::kLaunched;
  launcher_->Launch(id);
}

void ClusterRuntime::ReplaceLater() {
  const int64_t delay = kReplaceDelayMicros << std::min(failed_starts_, 8);
  env_.After(std::min(delay, kReplaceDelayMaxMicros), [this] { LaunchWorker(); });
}

absl::Status ClusterRuntime::MayJoin(int64_t worker_id) {
  const auto worker = workers_.find(worker_id);
  if (worker != workers_.end() && worker->second == WorkerPhase::kLaunched) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("worker ", worker_id,
                   worker_id <= last_worker_id_ ? " was given up" : " is not one of ours"));
}

void ClusterRuntime::OnMessage(proto::ToDriver message) {
  const bool is_hello = message.has_hello();
  if (is_hello) {
    workers_[message.worker_id()] = WorkerPhase::kJoined;
    failed_starts_ = 0;
  }
  driver_.core().HandleMessage(std::move(message));
  if (is_hello) beginning_.Update([](Beginning& now) { ++now.joined_count; });
}

void ClusterRuntime::SendToWorker(int64_t worker_id, proto::ToWorker message) {
  transport_.SendToWorker(worker_id, std::move(message));
}

void ClusterRuntime::DisconnectWorker(int64_t worker_id, const absl::Status& reason) {
  transport_.DisconnectWorker(worker_id, reason);
  const auto worker = workers_.find(worker_id);
  if (worker != workers_.end()) worker->second = WorkerPhase::kGone;
  launcher_->Kill(worker_id);
}

void ClusterRuntime::OnDisconnected(int64_t worker_id, const std::string& reason) {
  if (is_stopping_) return;
  driver_.core().WorkerLost(worker_id, reason);
  const auto worker = workers_.find(worker_id);
  if (worker != workers_.end()) worker->second = WorkerPhase::kGone;
  launcher_->Kill(worker_id);
}

void ClusterRuntime::OnWorkerExited(int64_t worker_id, const std::string& reason) {
  env_.Post([this, worker_id, reason] { OnWorkerExitedOnLoop(worker_id, reason); });
}

void ClusterRuntime::OnWorkerExitedOnLoop(int64_t worker_id, const std::string& reason) {
  const auto worker = workers_.find(worker_id);
  if (is_stopping_ || worker == workers_.end()) return;
  const WorkerPhase phase = worker->second;
  workers_.erase(worker);
  if (phase == WorkerPhase::kLaunched) {
    ++failed_starts_;
    LOG(WARNING) << "worker " << worker_id << " has ended before it joined: " << reason;
    beginning_.Update([&](Beginning& now) {
      now.failure = absl::StrCat("worker ", worker_id, " has ended before it joined: ", reason);
    });
  } else {
    LOG(WARNING) << "worker " << worker_id << " has ended: " << reason;
    transport_.DisconnectWorker(worker_id, absl::UnavailableError(reason));
    driver_.core().WorkerLost(worker_id, reason);
  }
  ReplaceLater();
}

}  // namespace millrace::internal
