#include "tests/sim/daemon_application.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/crypto/sha256.h"
#include "tests/sim/daemon_host.h"

namespace millrace::sim {
namespace {

constexpr int64_t kReconnectMicros = 300'000;
constexpr int64_t kReplaceMicros = 50'000;
// As worker_fleet.cc.
constexpr int64_t kLeftWorkerMicros = 5'000'000;
constexpr int64_t kWorkersOfADriver = 1'000'000;
constexpr int64_t kReplaceMicrosMax = 10'000'000;
constexpr int64_t kBeginMicrosMax = 500'000;
constexpr int64_t kRegisterMicros = 20'000'000;
constexpr int64_t kEndMicros = 5'000'000;
constexpr int64_t kCloseMicros = 2'000'000;
constexpr int64_t kStopMicrosMax = 3'000'000;  // Until batches under way have ended.
constexpr int64_t kChangeMicrosMax = 20'000'000;
constexpr int kChangesMax = 6;
constexpr int kWorkersMax = 1000;

// As DaemonWorkerLauncher says it.
bool IsFinal(const absl::Status& status) {
  return !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status) &&
         !absl::IsCancelled(status) && !status.ok() && !absl::IsUnknown(status) &&
         !absl::IsInternal(status);
}

}  // namespace

proto::Program ProgramOf(const ApplicationPlan& plan) {
  proto::Program program;
  program.set_name(plan.name);
  program.set_sha256(Sha256Hex(plan.bytes));
  return program;
}

Application::Application(Site& site, NodeId machine, Options options)
    : site_(site),
      options_(std::move(options)),
      process_(site, machine),
      address_(absl::StrCat(options_.plan.name, ":", process_.env().node())) {
  endpoint_.machine = machine;
  endpoint_.process = &process_;
  endpoint_.accept = [this](Service /*service*/, const Connection::Ref& connection) {
    return Accept(connection);
  };
  site_.endpoints[address_] = &endpoint_;
  process_.env().After(site_.cluster.world.Delay(kBeginMicrosMax), [this] { Begin(); });
}

Application::~Application() = default;

void Application::Exit(const proto::ProcessExit& exit) {
  if (!is_alive()) return;
  endpoint_.process = nullptr;
  process_.End();
  for (auto& [id, worker] : workers_) worker.connection = nullptr;
  connection_ = nullptr;
  options_.on_exit(exit);
}

void Application::ExitWith(int code, const std::string& reason) {
  proto::ProcessExit exit;
  exit.set_code(code);
  exit.set_reason(reason);
  Exit(exit);
}

void Application::Kill(int signal, const std::string& reason) {
  proto::ProcessExit exit;
  exit.set_signal(signal);
  exit.set_reason(reason);
  Exit(exit);
}

void Application::RequestEnd() {
  was_told_to_end_ = true;
  if (!options_.plan.ends_when_told) return;
  process_.env().After(site_.cluster.world.Delay(kStopMicrosMax), [this] { Stop(0); });
}

// ---------------------------------------------------------------------------------------------
// The conversation with the driver daemon.

void Application::Begin() {
  proto::ProgramFile program;
  program.set_name(options_.plan.bytes);
  program.set_sha256(Sha256Hex(options_.plan.bytes));
  Ask(process_, kDaemonAddress, Service::kArtifacts, program,
      [this](const absl::StatusOr<MessageRef>& answer) {
        if (!answer.ok()) return ExitWith(1, answer.status().ToString());
        process_.env().After(kRegisterMicros, [this] {
          if (app_id_.empty()) ExitWith(1, "the driver daemon does not answer");
        });
        Connect();
      });
}

void Application::Connect() {
  if (is_unregistering_) return;
  connection_ =
      Connection::Open(process_, kDaemonAddress, Service::kApplications,
                       {.on_message =
                            [this](const google::protobuf::Message& message) {
                              if (is_alive())
                                OnMessage(static_cast<const proto::ToApplication&>(message));
                            },
                        .on_closed = [this](const absl::Status& status) { OnClosed(status); }});
  proto::FromApplication message;
  proto::RegisterApplication& request = *message.mutable_register_();
  request.set_app_id(app_id_);
  request.set_epoch(epoch_);
  request.set_name(options_.plan.name);
  request.set_submission_id(options_.submission_id);
  *request.mutable_program() = ProgramOf(options_.plan);
  *request.mutable_demand() = options_.plan.demand;
  request.set_takes_all(options_.plan.takes_all);
  request.set_may_be_replaced(options_.plan.is_recoverable);
  request.set_resumes_app_id(options_.resumes_app_id);
  for (const auto& [id, worker] : workers_) {
    if (worker.is_launched) request.add_launched_workers(id);
  }
  connection_->SendToServer(std::move(message));
}

void Application::OnMessage(const proto::ToApplication& message) {
  switch (message.kind_case()) {
    case proto::ToApplication::kRegistered:
      return OnRegistered(message.registered());
    case proto::ToApplication::kWorkerLaunched: {
      const auto worker = workers_.find(message.worker_launched().worker_id());
      if (worker != workers_.end()) worker->second.is_launched = true;
      return;
    }
    case proto::ToApplication::kWorkerLost:
      return OnWorkerLost(message.worker_lost().worker_id());
    case proto::ToApplication::kRoom: {
      const auto& cores = message.room().possible_cores();
      return OnRoom({cores.begin(), cores.end()});
    }
    case proto::ToApplication::kWaiting:
    case proto::ToApplication::KIND_NOT_SET:
      return;
  }
}

void Application::OnRegistered(const proto::ApplicationRegistered& registered) {
  is_registered_ = true;
  ScheduleHeartbeat(std::clamp<int64_t>(registered.heartbeat_interval_ms(), 10, 60'000) * 1000);
  if (!app_id_.empty()) {
    if (site_.applications[app_id_] != this) {
      site_.Fail(absl::StrCat(app_id_, " has another driver, and this one may come back"));
    }
    SendMoved();
    // What it was asked before the connection broke, if it is still true.
    for (const auto& [id, worker] : workers_) {
      if (worker.is_released) {
        SendRelease(id);
      } else if (!worker.is_launched) {
        SendRequest(id, worker);
      }
    }
    return;
  }
  app_id_ = registered.app_id();
  epoch_ = registered.epoch();
  // Another attempt of a submission may be the same application, and a program that is started
  // again.
  const Application*& known = site_.applications[app_id_];
  if (known != nullptr && !(epoch_ > known->epoch_ && Follows(*known))) {
    site_.Fail(absl::StrCat(options_.plan.name, " is called ", app_id_, ", as one before"));
  }
  known = this;
  Expect(registered);
  const auto& possible = registered.possible_cores();
  free_cores_.assign(possible.begin(), possible.end());
  std::sort(free_cores_.begin(), free_cores_.end());
  cores_otherwise_ = free_cores_.empty() ? std::max(options_.plan.demand.cores_per_worker(), 1)
                                         : free_cores_.front();
  const int wanted =
      options_.plan.takes_all ? std::max(possible.size() + count_, 1) : options_.plan.workers;
  Add(std::max(0, wanted - count_));
  if (options_.plan.lifetime_micros > 0) {
    process_.env().After(options_.plan.lifetime_micros, [this] { Stop(options_.plan.exit_code); });
  }
  if (options_.plan.changes_size) ChangeSize();
}

bool Application::Follows(const Application& known) const {
  if (options_.resumes_app_id == app_id_) return true;
  return !submission_id().empty() && known.submission_id() == submission_id();
}

// Workers that the driver before has left, for a while.
void Application::Expect(const proto::ApplicationRegistered& registered) {
  last_worker_id_ = (epoch_ - 1) * kWorkersOfADriver;
  for (const proto::WorkerRef& left : registered.workers()) {
    workers_[left.worker_id()] = {.cores = left.cores(), .is_launched = true};
    ++count_;
  }
  has_left_workers_ = count_ > 0;
  if (!has_left_workers_) return;
  SendMoved();
  process_.env().After(kLeftWorkerMicros, [this] {
    for (auto& [id, worker] : workers_) {
      if (id > (epoch_ - 1) * kWorkersOfADriver || worker.phase != Phase::kAskedFor) continue;
      worker.phase = Phase::kGone;
      Release(id);
    }
  });
}

void Application::SendMoved() {
  if (!has_left_workers_) return;
  proto::FromApplication message;
  message.mutable_moved()->set_driver_address(address_);
  connection_->SendToServer(std::move(message));
}

void Application::OnClosed(const absl::Status& status) {
  is_registered_ = false;
  process_.env().Cancel(heartbeat_timer_);
  connection_ = nullptr;
  if (is_unregistering_) return ExitWith(exit_code_, "it has ended");
  if (app_id_.empty()) return ExitWith(1, absl::StrCat("not registered: ", status.ToString()));
  if (!IsFinal(status)) {
    process_.env().After(kReconnectMicros, [this] { Connect(); });
    return;
  }
  site_.Log(absl::StrCat(app_id_, " was given up: ", status.ToString()));
  if (absl::StrContains(status.message(), "artifact")) site_.Fail(status.ToString());
  ExitWith(1, absl::StrCat("given up: ", status.ToString()));
}

void Application::SendRequest(int64_t worker_id, const Worker& worker) {
  proto::FromApplication message;
  message.mutable_request_worker()->set_worker_id(worker_id);
  message.mutable_request_worker()->set_driver_address(address_);
  message.mutable_request_worker()->set_cores(worker.cores);
  connection_->SendToServer(std::move(message));
}

void Application::SendRelease(int64_t worker_id) {
  proto::FromApplication message;
  message.mutable_release_worker()->set_worker_id(worker_id);
  connection_->SendToServer(std::move(message));
}

void Application::ScheduleHeartbeat(int64_t interval_micros) {
  heartbeat_timer_ = process_.env().After(interval_micros, [this, interval_micros] {
    proto::FromApplication message;
    message.mutable_heartbeat();
    if (connection_ != nullptr) connection_->SendToServer(std::move(message));
    ScheduleHeartbeat(interval_micros);
  });
}

// ---------------------------------------------------------------------------------------------
// Its workers.

Connection::Handlers Application::Accept(const Connection::Ref& connection) {
  const auto worker_id = std::make_shared<int64_t>(0);
  return {.on_message =
              [this, connection, worker_id](const google::protobuf::Message& message) {
                const auto& hello = static_cast<const proto::WorkerRef&>(message);
                *worker_id = hello.worker_id();
                OnHello(connection, hello);
              },
          .on_closed = [this, connection, worker_id](
                           const absl::Status&) { OnDisconnected(*worker_id, connection); }};
}

void Application::OnHello(const Connection::Ref& connection, const proto::WorkerRef& hello) {
  const auto worker = workers_.find(hello.worker_id());
  if (hello.app_id() != app_id_ || worker == workers_.end() ||
      worker->second.phase != Phase::kAskedFor) {
    return connection->Close(absl::FailedPreconditionError("it was given up"));
  }
  worker->second.phase = Phase::kJoined;
  worker->second.connection = connection;
  failed_starts_ = 0;
}

void Application::OnDisconnected(int64_t worker_id, const Connection::Ref& connection) {
  const auto worker = workers_.find(worker_id);
  if (worker == workers_.end() || worker->second.connection != connection) return;
  worker->second.connection = nullptr;
  if (is_ending_) return;
  worker->second.phase = Phase::kGone;
  Release(worker_id);
}

void Application::Add(int workers) {
  count_ += workers;
  for (int i = 0; i < workers; ++i) Launch();
}

void Application::Launch() {
  if (is_ending_) return;
  const int64_t id = ++last_worker_id_;
  Worker& worker = workers_[id];
  worker.cores = cores_otherwise_;
  if (!free_cores_.empty()) {
    worker.cores = free_cores_.back();
    free_cores_.pop_back();
  }
  if (is_registered_) SendRequest(id, worker);
}

void Application::Release(int64_t worker_id) {
  workers_.at(worker_id).is_released = true;
  if (is_registered_) SendRelease(worker_id);
}

void Application::OnWorkerLost(int64_t worker_id) {
  const auto it = workers_.find(worker_id);
  if (it == workers_.end()) return;
  const Worker worker = it->second;
  workers_.erase(it);
  free_cores_.push_back(worker.cores);
  std::sort(free_cores_.begin(), free_cores_.end());
  if (worker.connection != nullptr) worker.connection->Close(absl::UnavailableError("it is lost"));
  if (is_ending_) {
    if (workers_.empty()) Unregister(exit_code_);
    return;
  }
  if (count_ <= static_cast<int>(workers_.size())) return;  // It has retired.
  if (worker.phase == Phase::kAskedFor) ++failed_starts_;
  const int64_t delay = std::min(kReplaceMicros << std::min(failed_starts_, 8), kReplaceMicrosMax);
  process_.env().After(delay, [this] {
    if (count_ > static_cast<int>(workers_.size())) Launch();
  });
}

void Application::OnRoom(const std::vector<int>& cores) {
  free_cores_ = cores;
  std::sort(free_cores_.begin(), free_cores_.end());
  const int missing = count_ - static_cast<int>(workers_.size());
  const int more = std::min(static_cast<int>(cores.size()) - missing, kWorkersMax - count_);
  if (!is_ending_ && more > 0) Add(more);
}

void Application::ChangeSize() {
  World& world = site_.cluster.world;
  process_.env().After(world.Between(1, kChangeMicrosMax), [this] {
    if (is_ending_ || ++changes_ > kChangesMax) return;
    if (site_.cluster.world.OneIn(2)) {
      Add(1);
    } else if (count_ > 1 && !workers_.empty()) {
      const auto some = std::find_if(workers_.begin(), workers_.end(), [](const auto& worker) {
        return worker.second.phase == Phase::kJoined;
      });
      if (some != workers_.end()) {
        --count_;
        Connection::Ref connection = std::exchange(some->second.connection, nullptr);
        connection->Close(absl::CancelledError("it retires"));
        some->second.phase = Phase::kGone;
        Release(some->first);
      }
    }
    ChangeSize();
  });
}

// ---------------------------------------------------------------------------------------------
// Its end.

void Application::Stop(int code) {
  if (std::exchange(is_ending_, true)) return;
  exit_code_ = code;
  if (app_id_.empty()) return ExitWith(code, "it has ended before it registered");
  if (is_registered_) {
    proto::FromApplication message;
    message.mutable_ending();
    connection_->SendToServer(std::move(message));
  }
  for (auto& [id, worker] : workers_) {
    if (worker.phase != Phase::kJoined) {
      Release(id);
    } else if (worker.connection != nullptr) {
      worker.connection->SendToCaller(proto::ApplicationEnding());
    }
  }
  if (workers_.empty()) return Unregister(code);
  process_.env().After(kEndMicros, [this, code] { Unregister(code); });
}

void Application::Unregister(int code) {
  if (std::exchange(is_unregistering_, true)) return;
  if (connection_ == nullptr) return ExitWith(code, "it has ended");
  proto::FromApplication message;
  message.mutable_unregister();
  connection_->SendToServer(std::move(message));
  connection_->FinishWriting();
  process_.env().After(kCloseMicros, [this, code] { ExitWith(code, "it has ended"); });
}

}  // namespace millrace::sim
