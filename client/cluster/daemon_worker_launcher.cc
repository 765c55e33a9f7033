#include "client/cluster/daemon_worker_launcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cluster/daemon_connection.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

constexpr std::chrono::milliseconds kRegisterTimeout{20'000};
constexpr std::chrono::milliseconds kReconnectDelay{300};
constexpr int64_t kHeartbeatMsMin = 10;
constexpr int64_t kHeartbeatMsMax = 60'000;
constexpr std::chrono::milliseconds kEndTimeout{5'000};
constexpr std::chrono::milliseconds kCloseTimeout{2'000};

// The daemon has answered and means it; anything else is a connection that broke.
bool IsFinal(const absl::Status& status) {
  return !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status) &&
         !absl::IsCancelled(status) && !status.ok() && !absl::IsUnknown(status) &&
         !absl::IsInternal(status);
}

std::string ReasonOf(const proto::ProcessExit& exit) {
  if (exit.last_stderr().empty()) return exit.reason();
  return absl::StrCat(exit.reason(), "; the end of its standard error:\n", exit.last_stderr());
}

}  // namespace

DaemonWorkerLauncher::DaemonWorkerLauncher(Options options,
                                           const std::shared_ptr<grpc::Channel>& channel)
    : options_(std::move(options)),
      connection_(std::make_unique<DaemonConnection>(channel, options_.security)),
      loop_({.name = "daemon-launcher"}) {}

DaemonWorkerLauncher::~DaemonWorkerLauncher() { Stop(); }

absl::StatusOr<std::unique_ptr<DaemonWorkerLauncher>> DaemonWorkerLauncher::Register(
    Options options, const std::shared_ptr<grpc::Channel>& channel) {
  std::unique_ptr<DaemonWorkerLauncher> launcher(
      new DaemonWorkerLauncher(std::move(options), channel));
  launcher->loop_.Post([raw = launcher.get()] { raw->Connect(); });
  const Progress progress = launcher->progress_.WaitUntil(
      [](const Progress& now) { return now.is_registered || !now.failure.ok(); }, kRegisterTimeout,
      [](const Progress& now) { return now; });
  if (!progress.failure.ok()) return progress.failure;
  if (!progress.is_registered) {
    return absl::UnavailableError("the driver daemon does not answer: does millrace-driver run?");
  }
  return launcher;
}

absl::Status DaemonWorkerLauncher::Start(const WorkerSpec& spec, Listener& listener) {
  spec_ = spec;
  loop_.Post([this, &listener] {
    listener_ = &listener;
    SendMoved();
  });
  return absl::OkStatus();
}

void DaemonWorkerLauncher::Launch(int64_t worker_id) {
  loop_.Post([this, worker_id] {
    Worker& worker = workers_[worker_id];
    progress_.Update([](Progress& now) { now.has_no_workers = false; });
    if (was_given_up_) {
      OnWorkerLost(worker_id, "the driver daemon has given the application up");
      return;
    }
    if (!free_cores_.empty()) {
      worker.cores = free_cores_.back();
      free_cores_.pop_back();
    } else {
      worker.cores = spec_.cores;
    }
    if (is_registered_) SendRequest(worker_id, worker);
  });
}

void DaemonWorkerLauncher::Kill(int64_t worker_id) {
  loop_.Post([this, worker_id] {
    const auto worker = workers_.find(worker_id);
    if (worker == workers_.end()) return;
    worker->second.is_released = true;
    if (is_registered_) SendRelease(worker_id);
  });
}

void DaemonWorkerLauncher::Stop() {
  if (progress_.Get([](const Progress& now) { return now.is_closed; })) return;
  loop_.Post([this] {
    listener_ = nullptr;
    if (!is_registered_) return;
    proto::FromApplication message;
    message.mutable_ending();
    connection_->Send(std::move(message));
  });
  // Workers have been told to end; the daemon says so when they have.
  progress_.WaitUntil([](const Progress& now) { return now.has_no_workers; }, kEndTimeout,
                      [](const Progress&) { return 0; });
  loop_.Post([this] {
    is_stopping_ = true;
    loop_.Cancel(heartbeat_timer_);
    if (!connection_->is_open()) {
      progress_.Update([](Progress& now) { now.is_closed = true; });
      return;
    }
    proto::FromApplication message;
    message.mutable_unregister();
    connection_->Send(std::move(message));
    connection_->Finish();
  });
  const auto is_closed = [](const Progress& now) { return now.is_closed; };
  if (!progress_.WaitUntil(is_closed, kCloseTimeout, is_closed)) {
    loop_.Post([this] { connection_->Close(); });
    // A call that is cancelled ends, whatever the other side does, and must not outlive this.
    progress_.WaitUntil(is_closed, std::chrono::milliseconds(-1), is_closed);
  }
  loop_.Stop();
}

// ---------------------------------------------------------------------------------------------
// On the event loop.

void DaemonWorkerLauncher::Connect() {
  if (is_stopping_) return;
  connection_->Open(
      loop_, [this](const proto::ToApplication& message) { OnMessage(message); },
      [this](const absl::Status& status) { OnClosed(status); });
  proto::FromApplication message;
  proto::RegisterApplication& request = *message.mutable_register_();
  request = options_.registration;
  request.set_app_id(application_id_);
  request.set_epoch(application_id_.empty() ? 0 : epoch_);
  for (const auto& [worker_id, worker] : workers_) {
    if (worker.is_launched) request.add_launched_workers(worker_id);
  }
  connection_->Send(std::move(message));
}

void DaemonWorkerLauncher::OnMessage(const proto::ToApplication& message) {
  switch (message.kind_case()) {
    case proto::ToApplication::kRegistered:
      OnRegistered(message.registered());
      break;
    case proto::ToApplication::kWorkerLaunched: {
      const auto worker = workers_.find(message.worker_launched().worker_id());
      if (worker != workers_.end()) worker->second.is_launched = true;
      break;
    }
    case proto::ToApplication::kWorkerLost:
      OnWorkerLost(message.worker_lost().worker_id(), ReasonOf(message.worker_lost().exit()));
      break;
    case proto::ToApplication::kWaiting:
      if (!message.waiting().reason().empty()) {
        LOG(WARNING) << "waiting for workers: " << message.waiting().reason();
      }
      break;
    case proto::ToApplication::kRoom: {
      // What lost workers had is part of it.
      const auto& cores = message.room().possible_cores();
      free_cores_.assign(cores.begin(), cores.end());
      std::sort(free_cores_.begin(), free_cores_.end());
      if (listener_ != nullptr) listener_->OnRoom(cores.size());
      break;
    }
    case proto::ToApplication::KIND_NOT_SET:  // Of a later version.
      break;
  }
}

void DaemonWorkerLauncher::OnRegistered(const proto::ApplicationRegistered& registered) {
  is_registered_ = true;
  ScheduleHeartbeat(std::chrono::milliseconds(
      std::clamp(registered.heartbeat_interval_ms(), kHeartbeatMsMin, kHeartbeatMsMax)));
  if (application_id_.empty()) {
    application_id_ = registered.app_id();
    epoch_ = std::max<int64_t>(registered.epoch(), 1);
    for (const proto::WorkerRef& left : registered.workers()) {
      workers_[left.worker_id()] = {.cores = left.cores(), .is_launched = true};
      left_workers_.push_back(left.worker_id());
      progress_.Update([](Progress& now) { now.has_no_workers = false; });
    }
    possible_cores_.assign(registered.possible_cores().begin(), registered.possible_cores().end());
    free_cores_ = possible_cores_;
    std::sort(free_cores_.begin(), free_cores_.end());
    progress_.Update([](Progress& now) { now.is_registered = true; });
    return;
  }
  SendMoved();
  // What it was asked before the connection broke, if it is still true.
  for (const auto& [worker_id, worker] : workers_) {
    if (worker.is_released) {
      SendRelease(worker_id);
    } else if (!worker.is_launched) {
      SendRequest(worker_id, worker);
    }
  }
}

void DaemonWorkerLauncher::OnClosed(const absl::Status& status) {
  is_registered_ = false;
  loop_.Cancel(heartbeat_timer_);
  if (is_stopping_) {
    progress_.Update([](Progress& now) { now.is_closed = true; });
    return;
  }
  if (application_id_.empty()) {
    progress_.Update([&](Progress& now) {
      now.failure = status.ok() ? absl::UnavailableError("the driver daemon hung up") : status;
      now.is_closed = true;
    });
    return;
  }
  if (!IsFinal(status)) {
    LOG_EVERY_T(WARNING, 10) << "no connection to the driver daemon: " << status
                             << "; the application goes on, and it is tried again";
    loop_.PostAfter(kReconnectDelay, [this] { Connect(); });
    return;
  }
  was_given_up_ = true;
  options_.on_given_up(status);
  for (const auto& [worker_id, worker] : std::map<int64_t, Worker>(workers_)) {
    OnWorkerLost(worker_id, "the driver daemon has given the application up");
  }
}

void DaemonWorkerLauncher::OnWorkerLost(int64_t worker_id, const std::string& reason) {
  const auto worker = workers_.find(worker_id);
  if (worker == workers_.end()) return;
  free_cores_.push_back(worker->second.cores);
  std::sort(free_cores_.begin(), free_cores_.end());
  workers_.erase(worker);
  progress_.Update([&](Progress& now) { now.has_no_workers = workers_.empty(); });
  if (listener_ != nullptr) listener_->OnWorkerExited(worker_id, reason);
}

void DaemonWorkerLauncher::SendRequest(int64_t worker_id, const Worker& worker) {
  proto::FromApplication message;
  message.mutable_request_worker()->set_worker_id(worker_id);
  message.mutable_request_worker()->set_driver_address(spec_.driver_address);
  message.mutable_request_worker()->set_cores(worker.cores);
  connection_->Send(std::move(message));
}

void DaemonWorkerLauncher::SendRelease(int64_t worker_id) {
  proto::FromApplication message;
  message.mutable_release_worker()->set_worker_id(worker_id);
  connection_->Send(std::move(message));
}

// Only workers that were left must be told.
void DaemonWorkerLauncher::SendMoved() {
  if (!is_registered_ || listener_ == nullptr || left_workers_.empty()) return;
  proto::FromApplication message;
  message.mutable_moved()->set_driver_address(spec_.driver_address);
  connection_->Send(std::move(message));
}

// While the connection lasts: each has an interval of its own, which its daemon tells.
void DaemonWorkerLauncher::ScheduleHeartbeat(std::chrono::milliseconds interval) {
  heartbeat_timer_ = loop_.PostAfter(interval, [this, interval] {
    proto::FromApplication message;
    message.mutable_heartbeat();
    connection_->Send(std::move(message));
    ScheduleHeartbeat(interval);
  });
}

}  // namespace millrace::internal
