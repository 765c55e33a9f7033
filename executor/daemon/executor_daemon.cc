#include "executor/daemon/executor_daemon.h"

#include <algorithm>

#include "glog/logging.h"

namespace millrace {

ExecutorDaemon::ExecutorDaemon(Env& env, DriverLink& link, WorkerHost& workers, Options options)
    : env_(env), link_(link), host_(workers), options_(std::move(options)) {}

void ExecutorDaemon::Start() { Connect(); }

std::vector<ExecutorDaemon::WorkerStatus> ExecutorDaemon::workers() const {
  std::vector<WorkerStatus> workers;
  workers.reserve(workers_.size());
  for (const auto& [key, worker] : workers_) workers.push_back(worker);
  return workers;
}

void ExecutorDaemon::Connect() {
  link_.Open({.on_message = [this](const proto::ToExecutor& message) { OnMessage(message); },
              .on_closed = [this](const absl::Status& status) { OnClosed(status); }});
  proto::FromExecutor message;
  *message.mutable_register_() = options_.registration;
  for (const auto& [key, worker] : workers_) {
    // The driver daemon is not told to count on what is about to go.
    if (!worker.is_ending) *message.mutable_register_()->add_workers() = worker.worker;
  }
  link_.Send(std::move(message));
}

void ExecutorDaemon::OnMessage(const proto::ToExecutor& message) {
  switch (message.kind_case()) {
    case proto::ToExecutor::kRegistered:
      is_registered_ = true;
      was_registered_ = true;
      reconnect_micros_ = kReconnectMicros;
      LOG(INFO) << "registered with the driver daemon";
      ScheduleHeartbeat(
          std::clamp<int64_t>(message.registered().heartbeat_interval_ms(), 10, 60'000) * 1000);
      break;
    case proto::ToExecutor::kLaunchWorker:
      Launch(message.launch_worker());
      break;
    case proto::ToExecutor::kEndWorker:
      End({message.end_worker().app_id(), message.end_worker().worker_id()});
      break;
    case proto::ToExecutor::kForgetApplication:
      Forget(message.forget_application().app_id());
      break;
    case proto::ToExecutor::kMoveWorkers:
      MoveWorkers(message.move_workers());
      break;
    case proto::ToExecutor::KIND_NOT_SET:  // Of a later version.
      break;
  }
}

void ExecutorDaemon::OnClosed(const absl::Status& status) {
  is_registered_ = false;
  env_.Cancel(heartbeat_timer_);
  const bool is_refusal = absl::IsUnauthenticated(status) || absl::IsFailedPrecondition(status) ||
                          absl::IsInvalidArgument(status);
  if (is_refusal && !was_registered_) {
    options_.on_refused(status);
    return;
  }
  LOG_EVERY_T(WARNING, 10) << "no connection to the driver daemon: " << status
                           << "; workers go on, and it is tried again";
  env_.After(reconnect_micros_, [this] { Connect(); });
  reconnect_micros_ = std::min(2 * reconnect_micros_, kReconnectMicrosMax);
}

void ExecutorDaemon::ScheduleHeartbeat(int64_t interval_micros) {
  env_.Cancel(heartbeat_timer_);  // Of a registration that was said twice.
  heartbeat_timer_ = env_.After(interval_micros, [this, interval_micros] {
    proto::FromExecutor message;
    message.mutable_heartbeat();
    link_.Send(std::move(message));
    ScheduleHeartbeat(interval_micros);
  });
}

void ExecutorDaemon::Launch(const proto::LaunchWorker& launch) {
  const WorkerKey key(launch.worker().app_id(), launch.worker().worker_id());
  if (!workers_.try_emplace(key, WorkerStatus{.worker = launch.worker()}).second) return;
  LOG(INFO) << "worker " << key.second << " of " << key.first << " starts with "
            << launch.worker().cores() << " cores";
  host_.Start(launch, [this, key](const proto::ProcessExit& exit) { OnWorkerEnded(key, exit); });
}

void ExecutorDaemon::End(const WorkerKey& key) {
  const auto it = workers_.find(key);
  if (it == workers_.end() || it->second.is_ending) return;
  it->second.is_ending = true;
  host_.RequestEnd(key.first, key.second);
}

void ExecutorDaemon::OnWorkerEnded(const WorkerKey& key, const proto::ProcessExit& exit) {
  workers_.erase(key);
  LOG(INFO) << "worker " << key.second << " of " << key.first << ": " << exit.reason();
  proto::FromExecutor message;
  proto::WorkerEnded& ended = *message.mutable_worker_ended();
  ended.set_app_id(key.first);
  ended.set_worker_id(key.second);
  *ended.mutable_exit() = exit;
  link_.Send(std::move(message));
  if (forgotten_.contains(key.first) && !HasWorkersOf(key.first)) {
    forgotten_.erase(key.first);
    host_.Forget(key.first);
  }
}

void ExecutorDaemon::Forget(const std::string& app_id) {
  if (!HasWorkersOf(app_id)) {
    host_.Forget(app_id);
    return;
  }
  forgotten_.insert(app_id);
  std::vector<WorkerKey> keys;
  for (const auto& [key, worker] : workers_) {
    if (key.first == app_id) keys.push_back(key);
  }
  for (const WorkerKey& key : keys) End(key);
}

void ExecutorDaemon::MoveWorkers(const proto::MoveWorkers& move) {
  for (const auto& [key, worker] : workers_) {
    if (key.first == move.app_id()) host_.SetDriver(key.first, key.second, move.driver_address());
  }
}

bool ExecutorDaemon::HasWorkersOf(const std::string& app_id) const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [&](const auto& entry) { return entry.first.first == app_id; });
}

}  // namespace millrace
