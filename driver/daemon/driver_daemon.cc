#include "driver/daemon/driver_daemon.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/mistake.h"
#include "common/base/status_macros.h"
#include "driver/daemon/daemon_id.h"
#include "driver/daemon/registration.h"
#include "glog/logging.h"

namespace millrace {
namespace {

constexpr int64_t kCheckMicros = 1'000'000;
// In which an application that has come back says what it had asked for.
constexpr int64_t kConfirmMicros = 1'000'000;
// In which the connection of a driver that was killed has broken.
constexpr int64_t kStillThereMicros = 2'000'000;
constexpr int64_t kRelaunchMicros = 200'000;
constexpr int64_t kRelaunchMicrosMax = 5'000'000;
constexpr uint64_t kFirstNumberEnd = 10'000;
constexpr size_t kRequestsMax = 10'000;

absl::Status ReplacedError() {
  return absl::FailedPreconditionError("another driver of the application has been started");
}

}  // namespace

DriverDaemon::DriverDaemon(Env& env, DaemonPeers& peers, Submissions& submissions,
                           ArtifactStore& artifacts, Options options)
    : env_(env),
      peers_(peers),
      submissions_(submissions),
      artifacts_(artifacts),
      options_(std::move(options)),
      started_micros_(env.MonotonicMicros()),
      books_(options_.cores_default, options_.is_spread),
      allocator_(env, peers, books_),
      records_(env.fs(), options_.applications_dir) {}

absl::Status DriverDaemon::Recover() {
  submissions_.SetOnChange([this] { UpdateArtifactsInUse(); });
  ASSIGN_OR_RETURN(std::vector<proto::ApplicationRecord> records, records_.ReadAll());
  for (proto::ApplicationRecord& record : records) {
    Application& application = books_.AddApplication(std::move(record));
    application.heard_micros = started_micros_;
    application.is_recovered = true;
  }
  UpdateArtifactsInUse();
  env_.After(kRecoveryMicros, [this] { EndRecovery(); });
  CheckLater();
  return absl::OkStatus();
}

void DriverDaemon::OnExecutorMessage(SessionId session, const proto::FromExecutor& message) {
  if (message.kind_case() == proto::FromExecutor::kRegister) {
    OnRegisterExecutor(session, message.register_());
    return;
  }
  Executor* const executor = books_.ExecutorOf(session);
  if (executor == nullptr) {
    peers_.Close(session, absl::FailedPreconditionError("register first"));
    return;
  }
  executor->heard_micros = env_.MonotonicMicros();
  if (message.kind_case() == proto::FromExecutor::kWorkerEnded) {
    OnWorkerEnded(message.worker_ended());
  }
}

void DriverDaemon::OnRegisterExecutor(SessionId session, const proto::RegisterExecutor& request) {
  if (!IsPossible(request) || books_.ExecutorOf(session) != nullptr) {
    peers_.Close(session, absl::InvalidArgumentError("a registration that cannot be right"));
    return;
  }
  // The same process of the daemon again, before we saw that its old connection broke: its workers
  // are those that it names now.
  if (books_.executors.contains(request.executor_id())) {
    LoseExecutor(request.executor_id(), "its executor daemon connected again without it");
  }
  Executor& executor = books_.executors[request.executor_id()];
  executor.info = request;
  executor.session = session;
  executor.heard_micros = env_.MonotonicMicros();
  proto::ToExecutor reply;
  reply.mutable_registered()->set_heartbeat_interval_ms(HeartbeatIntervalMs());
  peers_.SendToExecutor(session, std::move(reply));
  for (const proto::WorkerRef& worker : request.workers()) AdoptWorker(executor, worker);
  LOG(INFO) << "executor " << request.executor_id() << " on " << request.host() << " has "
            << request.cores() << " cores, " << request.memory_mb() << " MiB and "
            << request.workers_size() << " workers";
  allocator_.ShareOutSoon();
}

// A worker that ran before its executor daemon knew this daemon. It is wanted if its application
// is, and does not believe that it is gone: it may have been told so by the daemon before.
void DriverDaemon::AdoptWorker(Executor& executor, const proto::WorkerRef& worker) {
  const auto it = books_.applications.find(worker.app_id());
  if (it == books_.applications.end() || !it->second.is_recovered ||
      it->second.workers.contains(worker.worker_id())) {
    EndWorker(executor.info.executor_id(), worker.app_id(), worker.worker_id());
    return;
  }
  Application& application = it->second;
  Worker& adopted = books_.PlaceWorker(application, worker.worker_id(),
                                       {.executor_id = executor.info.executor_id(),
                                        .cores = worker.cores(),
                                        .memory_mb = worker.memory_mb(),
                                        .launched_micros = env_.MonotonicMicros()});
  const bool is_claimed = application.claimed.erase(worker.worker_id()) > 0;
  // It asked for this one, and the daemon before did not live to say that it was started.
  const auto is_this = [&](const proto::RequestWorker& request) {
    return request.worker_id() == worker.worker_id();
  };
  const bool is_requested = std::erase_if(application.requests, is_this) > 0;
  if (is_requested) allocator_.TellLaunched(application, worker.worker_id());
  adopted.is_unconfirmed = !is_claimed && !is_requested;
}

void DriverDaemon::OnWorkerEnded(const proto::WorkerEnded& ended) {
  const auto it = books_.applications.find(ended.app_id());
  if (it == books_.applications.end()) return;
  RemoveWorker(it->second, ended.worker_id(), ended.exit());
}

void DriverDaemon::RemoveWorker(Application& application, int64_t worker_id,
                                const proto::ProcessExit& exit) {
  const std::optional<Worker> worker = books_.RemoveWorker(application, worker_id);
  if (!worker.has_value()) return;
  LOG(INFO) << "worker " << worker_id << " of " << application.record.app_id() << ": "
            << exit.reason();
  TellLost(application, worker_id, exit);
  if (!worker->is_released && !application.is_ending) CountFailure(application, *worker, exit);
  allocator_.AllocateSoon();
}

void DriverDaemon::TellLost(const Application& application, int64_t worker_id,
                            const proto::ProcessExit& exit) {
  proto::ToApplication message;
  message.mutable_worker_lost()->set_worker_id(worker_id);
  *message.mutable_worker_lost()->mutable_exit() = exit;
  peers_.SendToApplication(application.session, std::move(message));
}

// What fails at once is started again after a while that grows, and at last not any more.
void DriverDaemon::CountFailure(Application& application, const Worker& worker,
                                const proto::ProcessExit& exit) {
  const int64_t now = env_.MonotonicMicros();
  if (now - worker.launched_micros > kWorkerSteadyMicros) application.failures_in_a_row = 0;
  const int failures = ++application.failures_in_a_row;
  if (failures >= options_.worker_failures_max) {
    // Not while the caller holds it.
    env_.Post(
        [this, app_id = application.record.app_id(),
         error = absl::StrCat(failures, " workers failed in a row; the last one: ", exit.reason(),
                              "\n", exit.last_stderr())] { EndApplication(app_id, error); });
    return;
  }
  if (failures == 1) return;
  const int64_t delay = std::min(kRelaunchMicros << std::min(failures - 2, 10), kRelaunchMicrosMax);
  application.launch_after_micros = now + delay;
  allocator_.AllocateAfter(delay);
}

void DriverDaemon::LoseExecutor(const std::string& executor_id, const std::string& why) {
  const auto it = books_.executors.find(executor_id);
  if (it == books_.executors.end()) return;
  LOG(WARNING) << "executor " << executor_id << " is lost: " << why;
  const SessionId session = it->second.session;
  const std::string host = it->second.info.host();
  books_.executors.erase(it);
  peers_.Close(session, absl::UnavailableError(why));
  proto::ProcessExit exit;
  exit.set_reason(absl::StrCat("the executor daemon on ", host, " is lost: ", why));
  for (auto& [app_id, application] : books_.applications) {
    std::vector<int64_t> lost;
    for (const auto& [worker_id, worker] : application.workers) {
      if (worker.executor_id == executor_id) lost.push_back(worker_id);
    }
    for (const int64_t worker_id : lost) {
      // The application is not to blame.
      application.workers[worker_id].is_released = true;
      RemoveWorker(application, worker_id, exit);
    }
  }
}

void DriverDaemon::OnApplicationMessage(SessionId session, const proto::FromApplication& message) {
  if (message.kind_case() == proto::FromApplication::kRegister) {
    OnRegisterApplication(session, message.register_(), env_.MonotonicMicros());
    return;
  }
  Application* const application = books_.ApplicationOf(session);
  if (application == nullptr) {
    peers_.Close(session, absl::FailedPreconditionError("register first"));
    return;
  }
  application->heard_micros = env_.MonotonicMicros();
  switch (message.kind_case()) {
    case proto::FromApplication::kRequestWorker:
      OnRequestWorker(*application, message.request_worker());
      break;
    case proto::FromApplication::kReleaseWorker:
      OnReleaseWorker(*application, message.release_worker().worker_id());
      break;
    case proto::FromApplication::kMoved:
      OnMoved(*application, message.moved().driver_address());
      break;
    case proto::FromApplication::kEnding:
      application->is_ending = true;
      break;
    case proto::FromApplication::kUnregister:
      EndApplication(application->record.app_id(), message.unregister().error());
      break;
    default:
      break;
  }
}

absl::Status DriverDaemon::CheckApplication(const proto::RegisterApplication& request) const {
  RETURN_IF_ERROR(CheckProgram(request.program()));
  RETURN_IF_ERROR(CheckDemand(request.demand()));
  const auto known = books_.applications.find(request.app_id());
  const bool is_replaced =
      known != books_.applications.end() && request.epoch() < known->second.record.epoch();
  if (is_replaced && !IsMade(Mistake::kReplacedDriverReadmitted)) return ReplacedError();
  // Before its files, which nobody keeps for it any more.
  if (!request.app_id().empty() && !books_.applications.contains(request.app_id())) {
    return absl::NotFoundError(absl::StrCat("the driver daemon has given up ",
                                            request.app_id().substr(0, 80),
                                            ": it was away for too long, or ended"));
  }
  RETURN_IF_ERROR(artifacts_.PathOf(request.program().sha256()).status());
  for (const proto::ProgramFile& file : request.program().files()) {
    RETURN_IF_ERROR(artifacts_.PathOf(file.sha256()).status());
  }
  return absl::OkStatus();
}

// What the driver of this submission had before it was started again, or the one whose checkpoint
// is to be gone on from.
DriverDaemon::Application* DriverDaemon::EarlierAttempt(const proto::RegisterApplication& request) {
  if (!request.app_id().empty()) return nullptr;
  for (auto& [id, application] : books_.applications) {
    const bool is_same =
        IsOfSubmission(application.record, request) || id == request.resumes_app_id();
    if (is_same && !application.is_ending) return &application;
  }
  return nullptr;
}

// Workers are told apart by their program: those of another one cannot go on.
bool DriverDaemon::MayTakeOver(const Application& application,
                               const proto::RegisterApplication& request) {
  // The supervisor has seen the one before end.
  if (IsOfSubmission(application.record, request)) return true;
  return application.session == kNoSession &&
         application.record.program_fingerprint() == FingerprintOf(request.program());
}

// Its workers go on under the new driver, which no message of the old one can reach them behind.
absl::Status DriverDaemon::TakeOver(Application& application,
                                    const proto::RegisterApplication& request) {
  proto::ApplicationRecord record = application.record;
  record.set_epoch(std::max<int64_t>(record.epoch(), 1) + 1);
  record.set_submission_id(request.submission_id());
  RETURN_IF_ERROR(records_.Write(record.app_id(), record));
  application.record = std::move(record);
  application.claimed.clear();
  for (auto& [worker_id, worker] : application.workers) worker.is_unconfirmed = false;
  application.is_recovered = false;
  LOG(INFO) << application.record.app_id() << " has another driver, for "
            << application.workers.size() << " workers";
  return absl::OkStatus();
}

// True: until executors had the time to say which workers it has, or until the connection of a
// driver that has just died has broken.
bool DriverDaemon::MustWait(SessionId session, const proto::RegisterApplication& request,
                            int64_t came_micros) {
  const Application* const earlier = EarlierAttempt(request);
  if (earlier == nullptr) return false;
  int64_t until = 0;
  if (earlier->is_recovered) until = started_micros_ + kRecoveryMicros;
  if (earlier->session != kNoSession && !IsOfSubmission(earlier->record, request)) {
    until = std::max(until, came_micros + kStillThereMicros);
  }
  if (env_.MonotonicMicros() >= until) return false;
  waiting_registrations_[session] = {.request = request, .came_micros = came_micros};
  return true;
}

void DriverDaemon::RegisterThoseThatWait() {
  for (const auto& [session, waiting] : std::exchange(waiting_registrations_, {})) {
    OnRegisterApplication(session, waiting.request, waiting.came_micros);
  }
}

absl::StatusOr<std::string> DriverDaemon::NewApplication(
    const proto::RegisterApplication& request) {
  // Of those that have ended a daemon that was restarted knows nothing, and the clock may have been
  // set back since: it does not count from where the one before did.
  const auto first_number = static_cast<int>(env_.Random() % kFirstNumberEnd);
  const std::string id =
      NewDaemonId("app", env_.NowMicros(), first_number, [&](const std::string& taken) {
        return books_.applications.contains(taken) ||
               std::any_of(ended_.begin(), ended_.end(),
                           [&](const auto& ended) { return ended.app_id() == taken; });
      });
  proto::ApplicationRecord record;
  record.set_app_id(id);
  record.set_name(request.name());
  record.set_submission_id(request.submission_id());
  record.set_started_ms(env_.NowMicros() / 1000);
  record.set_epoch(1);
  record.set_may_be_replaced(request.may_be_replaced());
  record.set_program_fingerprint(FingerprintOf(request.program()));
  record.add_artifacts(request.program().sha256());
  for (const proto::ProgramFile& file : request.program().files()) {
    record.add_artifacts(file.sha256());
  }
  RETURN_IF_ERROR(records_.Write(id, record));
  books_.AddApplication(std::move(record));
  return id;
}

void DriverDaemon::OnRegisterApplication(SessionId session,
                                         const proto::RegisterApplication& request,
                                         int64_t came_micros) {
  const bool is_known =
      books_.ApplicationOf(session) != nullptr || waiting_registrations_.contains(session);
  absl::Status status =
      is_known ? absl::FailedPreconditionError("registered already") : CheckApplication(request);
  if (status.ok() && MustWait(session, request, came_micros)) return;
  Application* earlier = EarlierAttempt(request);
  if (status.ok() && earlier != nullptr && !MayTakeOver(*earlier, request)) {
    LeaveBehind(std::exchange(earlier, nullptr)->record.app_id());
  }
  absl::StatusOr<std::string> id = request.app_id();
  if (status.ok() && earlier != nullptr) {
    status = TakeOver(*earlier, request);
    id = earlier->record.app_id();
  } else if (status.ok() && request.app_id().empty()) {
    id = NewApplication(request);
  }
  if (!status.ok()) id = status;
  if (!id.ok()) {
    peers_.Close(session, id.status());
    return;
  }
  Application& application = books_.applications[*id];
  if (application.session != kNoSession) {
    peers_.Close(application.session, earlier != nullptr
                                          ? ReplacedError()
                                          : absl::AbortedError("the application connected again"));
  }
  application.info = request;
  application.session = session;
  application.heard_micros = env_.MonotonicMicros();
  application.registered_micros = env_.MonotonicMicros();
  application.requests.clear();  // It says them again.
  submissions_.SetApplication(request.submission_id(), *id);
  UpdateArtifactsInUse();
  LOG(INFO) << *id << " is " << request.name();
  TellRegistered(application, earlier != nullptr);
  for (const int64_t worker_id : request.launched_workers()) {
    const auto worker = application.workers.find(worker_id);
    if (worker == application.workers.end()) {
      if (!IsMade(Mistake::kClaimedWorkersForgotten)) application.claimed.insert(worker_id);
    } else {
      worker->second.is_unconfirmed = false;
    }
  }
  if (!application.is_recovered) GiveClaimsUp(application);
}

// A driver goes on from its checkpoint and cannot have its workers.
void DriverDaemon::LeaveBehind(const std::string& app_id) {
  const bool is_gone = books_.applications.at(app_id).session == kNoSession;
  LOG(WARNING) << app_id << " is gone on from by "
               << (is_gone ? "another program: its workers end"
                           : "a driver beside its own, which gets other workers");
  if (is_gone) EndApplication(app_id, "another program goes on from its checkpoint");
}

void DriverDaemon::TellRegistered(const Application& application, bool is_taken_over) {
  proto::ToApplication reply;
  proto::ApplicationRegistered& registered = *reply.mutable_registered();
  registered.set_app_id(application.record.app_id());
  registered.set_epoch(application.record.epoch());
  registered.set_heartbeat_interval_ms(HeartbeatIntervalMs());
  const ApplicationFacts facts = books_.FactsOf(application);
  std::vector<NodeFacts> nodes = books_.Nodes();
  const std::vector<int> possible = is_taken_over ? PossibleWorkers(facts, nodes, books_.is_spread)
                                                  : books_.CoresFor(facts.demand);
  registered.mutable_possible_cores()->Add(possible.begin(), possible.end());
  if (is_taken_over) {
    for (const auto& [worker_id, worker] : application.workers) {
      if (worker.is_released) continue;
      proto::WorkerRef& left = *registered.add_workers();
      left.set_app_id(application.record.app_id());
      left.set_worker_id(worker_id);
      left.set_cores(worker.cores);
      left.set_memory_mb(worker.memory_mb);
    }
  }
  peers_.SendToApplication(application.session, std::move(reply));
}

void DriverDaemon::OnMoved(Application& application, const std::string& driver_address) {
  application.driver_address = driver_address;
  proto::ToExecutor message;
  message.mutable_move_workers()->set_app_id(application.record.app_id());
  message.mutable_move_workers()->set_driver_address(driver_address);
  std::set<std::string> executors;
  for (const auto& [worker_id, worker] : application.workers) executors.insert(worker.executor_id);
  for (const std::string& id : executors)
    peers_.SendToExecutor(books_.executors[id].session, message);
}

void DriverDaemon::OnRequestWorker(Application& application, const proto::RequestWorker& request) {
  const int64_t worker_id = request.worker_id();
  if (request.cores() < 1 || request.cores() > kWorkerCoresMax) {
    peers_.Close(application.session, absl::InvalidArgumentError("a worker without cores"));
    return;
  }
  if (const auto worker = application.workers.find(worker_id);
      worker != application.workers.end()) {
    worker->second.is_unconfirmed = false;
    allocator_.TellLaunched(application, worker_id);
    return;
  }
  const bool is_known = std::any_of(
      application.requests.begin(), application.requests.end(),
      [&](const proto::RequestWorker& known) { return known.worker_id() == worker_id; });
  if (is_known) return;
  if (application.requests.size() >= kRequestsMax) {
    peers_.Close(application.session,
                 absl::ResourceExhaustedError("more workers are asked for than anybody has"));
    return;
  }
  application.requests.push_back(request);
  allocator_.AllocateSoon();
}

void DriverDaemon::OnReleaseWorker(Application& application, int64_t worker_id) {
  const auto worker = application.workers.find(worker_id);
  if (worker != application.workers.end()) {
    worker->second.is_released = true;
    if (IsMade(Mistake::kCoresFreedTwice)) {
      books_.executors[worker->second.executor_id].cores_used -= worker->second.cores;
    }
    EndWorker(worker->second.executor_id, application.record.app_id(), worker_id);
    return;
  }
  std::erase_if(application.requests, [&](const proto::RequestWorker& request) {
    return request.worker_id() == worker_id;
  });
  application.claimed.erase(worker_id);
  proto::ProcessExit exit;
  exit.set_reason("it does not run");
  exit.set_is_requested(true);
  TellLost(application, worker_id, exit);
  allocator_.AllocateSoon();
}

// What it believes to run, and no executor has.
void DriverDaemon::GiveClaimsUp(Application& application) {
  proto::ProcessExit exit;
  exit.set_reason("it ended while the driver daemon was away");
  for (const int64_t worker_id : std::exchange(application.claimed, {})) {
    TellLost(application, worker_id, exit);
  }
}

// What runs, and it neither believes to run nor has asked for since it came back: the daemon before
// gave that up, and was gone before the worker was told to end.
void DriverDaemon::EndUnconfirmed(Application& application) {
  for (auto& [worker_id, worker] : application.workers) {
    if (!worker.is_unconfirmed) continue;
    worker.is_released = true;
    EndWorker(worker.executor_id, application.record.app_id(), worker_id);
  }
}

void DriverDaemon::EndApplication(const std::string& app_id, const std::string& error) {
  const auto it = books_.applications.find(app_id);
  if (it == books_.applications.end()) return;
  Application application = std::move(it->second);
  books_.applications.erase(it);
  LOG(INFO) << app_id << " has ended" << (error.empty() ? "" : ": ") << error;
  proto::ToExecutor forget;
  forget.mutable_forget_application()->set_app_id(app_id);
  for (auto& [executor_id, executor] : books_.executors) {
    peers_.SendToExecutor(executor.session, forget);
  }
  while (!application.workers.empty()) {
    books_.RemoveWorker(application, application.workers.begin()->first);
  }
  if (application.session != kNoSession) {
    peers_.Close(application.session, error.empty() ? absl::OkStatus() : absl::AbortedError(error));
    application.session = kNoSession;
  }
  proto::ApplicationStatus ended = books_.StatusOf(application);
  ended.set_ended_ms(env_.NowMicros() / 1000);
  ended.set_error(error);
  ended_.push_back(std::move(ended));
  if (ended_.size() > static_cast<size_t>(options_.ended_max)) ended_.pop_front();
  const absl::Status status = records_.Delete(app_id);
  LOG_IF(WARNING, !status.ok()) << "the record of " << app_id << " stays: " << status;
  UpdateArtifactsInUse();
  allocator_.ShareOutSoon();
}

void DriverDaemon::EndWorker(const std::string& executor_id, const std::string& app_id,
                             int64_t worker_id) {
  proto::ToExecutor message;
  message.mutable_end_worker()->set_app_id(app_id);
  message.mutable_end_worker()->set_worker_id(worker_id);
  peers_.SendToExecutor(books_.executors[executor_id].session, std::move(message));
}

void DriverDaemon::OnClosed(SessionId session) {
  if (const Executor* const executor = books_.ExecutorOf(session); executor != nullptr) {
    LoseExecutor(std::string(executor->info.executor_id()), "its connection broke");
    return;
  }
  waiting_registrations_.erase(session);
  Application* const application = books_.ApplicationOf(session);
  if (application == nullptr) return;
  application->session = kNoSession;
  application->heard_micros = env_.MonotonicMicros();
  LOG(WARNING) << application->record.app_id() << " lost its connection; it may come back";
  if (!waiting_registrations_.empty()) env_.Post([this] { RegisterThoseThatWait(); });
}

// While this process stands still (stopped, or kept by a slow disk) it hears nobody: that time
// counts against no one.
void DriverDaemon::ForgiveSilence(int64_t micros) {
  const int64_t now = env_.MonotonicMicros();
  for (auto& [id, executor] : books_.executors) {
    executor.heard_micros = std::min(executor.heard_micros + micros, now);
  }
  for (auto& [id, application] : books_.applications) {
    application.heard_micros = std::min(application.heard_micros + micros, now);
  }
}

// Who is silent is lost; who does not come back is given up.
void DriverDaemon::Check() {
  const int64_t now = env_.MonotonicMicros();
  if (now - check_due_micros_ > kCheckMicros) ForgiveSilence(now - check_due_micros_);
  std::vector<std::string> silent;
  for (const auto& [id, executor] : books_.executors) {
    if (now - executor.heard_micros > options_.peer_timeout_micros) silent.push_back(id);
  }
  for (const std::string& id : silent) LoseExecutor(id, "no heartbeat came");
  std::vector<std::string> gone;
  for (auto& [id, application] : books_.applications) {
    if (application.session != kNoSession) {
      if (now - application.heard_micros <= options_.peer_timeout_micros) continue;
      peers_.Close(application.session, absl::UnavailableError("no heartbeat came"));
      OnClosed(application.session);
    } else if (now - std::max(application.heard_micros, started_micros_) > GraceOf(application)) {
      gone.push_back(id);
    }
  }
  for (const std::string& id : gone) EndApplication(id, "its driver is gone");
  RegisterThoseThatWait();
  EndRecovery();
  CheckLater();
}

int64_t DriverDaemon::GraceOf(const Application& application) const {
  const std::string& submission_id = application.record.submission_id();
  const bool may_come_back = submission_id.empty() ? application.record.may_be_replaced()
                                                   : submissions_.MayComeBack(submission_id);
  return options_.application_grace_micros * (may_come_back ? 3 : 1);
}

// Of those applications that have come back and said what they have: from here on they may have
// others, and what else runs for them is not wanted.
void DriverDaemon::EndRecovery() {
  const int64_t now = env_.MonotonicMicros();
  if (now - started_micros_ < kRecoveryMicros) return;
  RegisterThoseThatWait();
  for (auto& [id, application] : books_.applications) {
    if (!application.is_recovered || application.session == kNoSession ||
        now - application.registered_micros < kConfirmMicros) {
      continue;
    }
    application.is_recovered = false;
    GiveClaimsUp(application);
    if (!IsMade(Mistake::kGivenUpWorkersAdopted)) EndUnconfirmed(application);
    allocator_.ShareOutSoon();
  }
}

void DriverDaemon::CheckLater() {
  check_due_micros_ = env_.MonotonicMicros() + kCheckMicros;
  env_.After(kCheckMicros, [this] { Check(); });
}

void DriverDaemon::UpdateArtifactsInUse() {
  std::set<std::string> in_use = submissions_.ArtifactsInUse();
  for (const auto& [id, application] : books_.applications) {
    if (IsMade(Mistake::kFilesOfAbsentUnused) && !application.info.has_program()) continue;
    // Also of those that have not come back yet after a restart.
    in_use.insert(application.record.artifacts().begin(), application.record.artifacts().end());
  }
  artifacts_.SetInUse(std::move(in_use));
}

std::string DriverDaemon::WhyNever(const proto::Demand& demand) const {
  return millrace::WhyNever(demand, books_.Nodes());
}

proto::ListReply DriverDaemon::List() const {
  proto::ListReply reply;
  for (const proto::SubmissionStatus& status : submissions_.List()) {
    *reply.add_submissions() = status;
  }
  for (const proto::ApplicationStatus& status : ended_) *reply.add_applications() = status;
  for (const auto& [id, application] : books_.applications) {
    *reply.add_applications() = books_.StatusOf(application);
  }
  for (const proto::ExecutorStatus& status : books_.ExecutorStatuses(env_.MonotonicMicros())) {
    *reply.add_executors() = status;
  }
  return reply;
}

}  // namespace millrace
