#include "driver/daemon/driver_daemon.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/mistake.h"
#include "common/base/status_macros.h"
#include "driver/daemon/daemon_id.h"
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
constexpr int kCoresMax = 1 << 16;
constexpr int64_t kMemoryMbMax = int64_t{1} << 30;
constexpr size_t kRequestsMax = 10'000;
constexpr int kWorkersMax = 10'000;  // Of one executor.

absl::Status ReplacedError() {
  return absl::FailedPreconditionError("another driver of the application has been started");
}

absl::Status CheckDemand(const proto::Demand& demand) {
  const bool is_good = demand.cores_max() >= 0 && demand.cores_max() <= kCoresMax &&
                       demand.cores_per_worker() >= 0 && demand.cores_per_worker() <= kCoresMax &&
                       demand.memory_mb_per_worker() > 0 &&
                       demand.memory_mb_per_worker() <= kMemoryMbMax;
  if (is_good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "a demand of ", demand.cores_max(), " cores in workers of ", demand.cores_per_worker(),
      " cores and ", demand.memory_mb_per_worker(), " MiB is not possible"));
}

bool IsPossible(int64_t cores, int64_t memory_mb) {
  return cores >= 1 && cores <= kCoresMax && memory_mb >= 1 && memory_mb <= kMemoryMbMax;
}

// What it has in use is counted against what others get.
bool IsPossible(const proto::RegisterExecutor& request) {
  return !request.executor_id().empty() && request.executor_id().size() <= 200 &&
         IsPossible(request.cores(), request.memory_mb()) &&
         request.workers_size() <= kWorkersMax &&
         std::all_of(request.workers().begin(), request.workers().end(),
                     [](const proto::WorkerRef& worker) {
                       return IsPossible(worker.cores(), worker.memory_mb());
                     });
}

// Workers of one program can be those of another one with the same.
uint64_t Fingerprint(const proto::Program& program) {
  const std::string bytes = program.SerializeAsString();
  return XXH3_64bits(bytes.data(), bytes.size());
}

bool IsOfSubmission(const proto::ApplicationRecord& record,
                    const proto::RegisterApplication& request) {
  return !request.submission_id().empty() && record.submission_id() == request.submission_id();
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
      records_(env.fs(), options_.applications_dir) {}

absl::Status DriverDaemon::Recover() {
  submissions_.SetOnChange([this] { UpdateArtifactsInUse(); });
  ASSIGN_OR_RETURN(std::vector<proto::ApplicationRecord> records, records_.ReadAll());
  for (proto::ApplicationRecord& record : records) {
    Application& application = applications_[record.app_id()];
    application.heard_micros = started_micros_;
    application.is_recovered = true;
    application.order = ++last_order_;
    application.record = std::move(record);
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
  const auto it = executor_of_session_.find(session);
  if (it == executor_of_session_.end()) {
    peers_.Close(session, absl::FailedPreconditionError("register first"));
    return;
  }
  executors_[it->second].heard_micros = env_.MonotonicMicros();
  if (message.kind_case() == proto::FromExecutor::kWorkerEnded) {
    OnWorkerEnded(message.worker_ended());
  }
}

void DriverDaemon::OnRegisterExecutor(SessionId session, const proto::RegisterExecutor& request) {
  if (!IsPossible(request) || executor_of_session_.contains(session)) {
    peers_.Close(session, absl::InvalidArgumentError("a registration that cannot be right"));
    return;
  }
  // The same process of the daemon again, before we saw that its old connection broke: its workers
  // are those that it names now.
  if (executors_.contains(request.executor_id())) {
    LoseExecutor(request.executor_id(), "its executor daemon connected again without it");
  }
  Executor& executor = executors_[request.executor_id()];
  executor.info = request;
  executor.session = session;
  executor.heard_micros = env_.MonotonicMicros();
  executor_of_session_[session] = request.executor_id();
  proto::ToExecutor reply;
  reply.mutable_registered()->set_heartbeat_interval_ms(HeartbeatIntervalMs());
  peers_.SendToExecutor(session, std::move(reply));
  for (const proto::WorkerRef& worker : request.workers()) AdoptWorker(executor, worker);
  LOG(INFO) << "executor " << request.executor_id() << " on " << request.host() << " has "
            << request.cores() << " cores, " << request.memory_mb() << " MiB and "
            << request.workers_size() << " workers";
  ShareOutSoon();
}

// A worker that ran before its executor daemon knew this daemon. It is wanted if its application
// is, and does not believe that it is gone: it may have been told so by the daemon before.
void DriverDaemon::AdoptWorker(Executor& executor, const proto::WorkerRef& worker) {
  const auto it = applications_.find(worker.app_id());
  if (it == applications_.end() || !it->second.is_recovered ||
      it->second.workers.contains(worker.worker_id())) {
    EndWorker(executor.info.executor_id(), worker.app_id(), worker.worker_id());
    return;
  }
  Application& application = it->second;
  application.workers[worker.worker_id()] = {.executor_id = executor.info.executor_id(),
                                             .cores = worker.cores(),
                                             .memory_mb = worker.memory_mb(),
                                             .launched_micros = env_.MonotonicMicros()};
  executor.cores_used += worker.cores();
  executor.memory_mb_used += worker.memory_mb();
  const bool is_claimed = application.claimed.erase(worker.worker_id()) > 0;
  // It asked for this one, and the daemon before did not live to say that it was started.
  const auto is_this = [&](const proto::RequestWorker& request) {
    return request.worker_id() == worker.worker_id();
  };
  const bool is_requested = std::erase_if(application.requests, is_this) > 0;
  if (is_requested) TellLaunched(application, worker.worker_id());
  application.workers[worker.worker_id()].is_unconfirmed = !is_claimed && !is_requested;
}

void DriverDaemon::OnWorkerEnded(const proto::WorkerEnded& ended) {
  const auto it = applications_.find(ended.app_id());
  if (it == applications_.end()) return;
  RemoveWorker(it->second, ended.worker_id(), ended.exit());
}

void DriverDaemon::RemoveWorker(Application& application, int64_t worker_id,
                                const proto::ProcessExit& exit) {
  const auto it = application.workers.find(worker_id);
  if (it == application.workers.end()) return;
  const Worker worker = it->second;
  application.workers.erase(it);
  if (const auto executor = executors_.find(worker.executor_id); executor != executors_.end()) {
    executor->second.cores_used -= worker.cores;
    executor->second.memory_mb_used -= worker.memory_mb;
  }
  LOG(INFO) << "worker " << worker_id << " of " << application.record.app_id() << ": "
            << exit.reason();
  TellLost(application, worker_id, exit);
  if (!worker.is_released && !application.is_ending) CountFailure(application, worker, exit);
  AllocateSoon();
}

void DriverDaemon::TellLost(const Application& application, int64_t worker_id,
                            const proto::ProcessExit& exit) {
  proto::ToApplication message;
  message.mutable_worker_lost()->set_worker_id(worker_id);
  *message.mutable_worker_lost()->mutable_exit() = exit;
  peers_.SendToApplication(application.session, std::move(message));
}

void DriverDaemon::TellLaunched(const Application& application, int64_t worker_id) {
  const Worker& worker = application.workers.at(worker_id);
  proto::ToApplication message;
  proto::WorkerLaunched& launched = *message.mutable_worker_launched();
  launched.set_worker_id(worker_id);
  if (const auto executor = executors_.find(worker.executor_id); executor != executors_.end()) {
    launched.set_host(executor->second.info.host());
  }
  launched.set_cores(worker.cores);
  launched.set_memory_mb(worker.memory_mb);
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
  AllocateAfter(delay);
}

void DriverDaemon::LoseExecutor(const std::string& executor_id, const std::string& why) {
  const auto it = executors_.find(executor_id);
  if (it == executors_.end()) return;
  LOG(WARNING) << "executor " << executor_id << " is lost: " << why;
  const SessionId session = it->second.session;
  const std::string host = it->second.info.host();
  executor_of_session_.erase(session);
  executors_.erase(it);
  peers_.Close(session, absl::UnavailableError(why));
  proto::ProcessExit exit;
  exit.set_reason(absl::StrCat("the executor daemon on ", host, " is lost: ", why));
  for (auto& [app_id, application] : applications_) {
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
  Application* const application = ApplicationOf(session);
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
  const auto known = applications_.find(request.app_id());
  if (known != applications_.end() && request.epoch() < known->second.record.epoch()) {
    return ReplacedError();
  }
  // Before its files, which nobody keeps for it any more.
  if (!request.app_id().empty() && !applications_.contains(request.app_id())) {
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
  for (auto& [id, application] : applications_) {
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
         application.record.program_fingerprint() == Fingerprint(request.program());
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

// Of the workers that there is room for; when there is none, that there would be in an empty
// cluster, for which it is worth to wait.
std::vector<int> DriverDaemon::CoresFor(const proto::Demand& demand) const {
  const ApplicationFacts application{.demand = demand};
  std::vector<NodeFacts> nodes = Nodes();
  std::vector<int> cores = PossibleWorkers(application, nodes, options_.is_spread);
  if (!cores.empty()) return cores;
  for (NodeFacts& node : nodes) {
    node.cores_free = node.cores;
    node.memory_mb_free = node.memory_mb;
  }
  return PossibleWorkers(application, nodes, options_.is_spread);
}

absl::StatusOr<std::string> DriverDaemon::NewApplication(
    const proto::RegisterApplication& request) {
  // Of those that have ended a daemon that was restarted knows nothing, and the clock may have been
  // set back since: it does not count from where the one before did.
  const auto first_number = static_cast<int>(env_.Random() % kFirstNumberEnd);
  const std::string id =
      NewDaemonId("app", env_.NowMicros(), first_number, [&](const std::string& taken) {
        return applications_.contains(taken) ||
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
  record.set_program_fingerprint(Fingerprint(request.program()));
  record.add_artifacts(request.program().sha256());
  for (const proto::ProgramFile& file : request.program().files()) {
    record.add_artifacts(file.sha256());
  }
  RETURN_IF_ERROR(records_.Write(id, record));
  applications_[id].record = std::move(record);
  applications_[id].order = ++last_order_;
  return id;
}

void DriverDaemon::OnRegisterApplication(SessionId session,
                                         const proto::RegisterApplication& request,
                                         int64_t came_micros) {
  const bool is_known =
      application_of_session_.contains(session) || waiting_registrations_.contains(session);
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
  Application& application = applications_[*id];
  if (application.session != kNoSession) {
    application_of_session_.erase(application.session);
    peers_.Close(application.session, earlier != nullptr
                                          ? ReplacedError()
                                          : absl::AbortedError("the application connected again"));
  }
  application.info = request;
  application.session = session;
  application.heard_micros = env_.MonotonicMicros();
  application.registered_micros = env_.MonotonicMicros();
  application.requests.clear();  // It says them again.
  application_of_session_[session] = *id;
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
  const bool is_gone = applications_.at(app_id).session == kNoSession;
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
  const ApplicationFacts facts = FactsOf(application);
  std::vector<NodeFacts> nodes = Nodes();
  const std::vector<int> possible =
      is_taken_over ? PossibleWorkers(facts, nodes, options_.is_spread) : CoresFor(facts.demand);
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
  for (const std::string& id : executors) peers_.SendToExecutor(executors_[id].session, message);
}

void DriverDaemon::OnRequestWorker(Application& application, const proto::RequestWorker& request) {
  const int64_t worker_id = request.worker_id();
  if (request.cores() < 1 || request.cores() > kCoresMax) {
    peers_.Close(application.session, absl::InvalidArgumentError("a worker without cores"));
    return;
  }
  if (const auto worker = application.workers.find(worker_id);
      worker != application.workers.end()) {
    worker->second.is_unconfirmed = false;
    TellLaunched(application, worker_id);
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
  AllocateSoon();
}

void DriverDaemon::OnReleaseWorker(Application& application, int64_t worker_id) {
  const auto worker = application.workers.find(worker_id);
  if (worker != application.workers.end()) {
    worker->second.is_released = true;
    if (IsMade(Mistake::kCoresFreedTwice)) {
      executors_[worker->second.executor_id].cores_used -= worker->second.cores;
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
  AllocateSoon();
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
  const auto it = applications_.find(app_id);
  if (it == applications_.end()) return;
  Application application = std::move(it->second);
  applications_.erase(it);
  LOG(INFO) << app_id << " has ended" << (error.empty() ? "" : ": ") << error;
  proto::ToExecutor forget;
  forget.mutable_forget_application()->set_app_id(app_id);
  for (auto& [executor_id, executor] : executors_) {
    peers_.SendToExecutor(executor.session, forget);
  }
  for (const auto& [worker_id, worker] : application.workers) {
    Executor& executor = executors_[worker.executor_id];
    executor.cores_used -= worker.cores;
    executor.memory_mb_used -= worker.memory_mb;
  }
  application.workers.clear();
  if (application.session != kNoSession) {
    application_of_session_.erase(application.session);
    peers_.Close(application.session, error.empty() ? absl::OkStatus() : absl::AbortedError(error));
    application.session = kNoSession;
  }
  proto::ApplicationStatus ended = StatusOf(application);
  ended.set_ended_ms(env_.NowMicros() / 1000);
  ended.set_error(error);
  ended_.push_back(std::move(ended));
  if (ended_.size() > static_cast<size_t>(options_.ended_max)) ended_.pop_front();
  const absl::Status status = records_.Delete(app_id);
  LOG_IF(WARNING, !status.ok()) << "the record of " << app_id << " stays: " << status;
  UpdateArtifactsInUse();
  ShareOutSoon();
}

void DriverDaemon::EndWorker(const std::string& executor_id, const std::string& app_id,
                             int64_t worker_id) {
  proto::ToExecutor message;
  message.mutable_end_worker()->set_app_id(app_id);
  message.mutable_end_worker()->set_worker_id(worker_id);
  peers_.SendToExecutor(executors_[executor_id].session, std::move(message));
}

void DriverDaemon::OnClosed(SessionId session) {
  if (const auto it = executor_of_session_.find(session); it != executor_of_session_.end()) {
    LoseExecutor(std::string(it->second), "its connection broke");
    return;
  }
  waiting_registrations_.erase(session);
  const auto it = application_of_session_.find(session);
  if (it == application_of_session_.end()) return;
  Application& application = applications_[it->second];
  application_of_session_.erase(it);
  application.session = kNoSession;
  application.heard_micros = env_.MonotonicMicros();
  LOG(WARNING) << application.record.app_id() << " lost its connection; it may come back";
  if (!waiting_registrations_.empty()) env_.Post([this] { RegisterThoseThatWait(); });
}

void DriverDaemon::AllocateSoon() {
  if (std::exchange(is_allocation_posted_, true)) return;
  env_.Post([this] {
    is_allocation_posted_ = false;
    Allocate();
    if (std::exchange(has_new_room_, false)) OfferRoom();
  });
}

void DriverDaemon::ShareOutSoon() {
  has_new_room_ = true;
  AllocateSoon();
}

// To the first that came first. One that still waits for workers gets those before it is offered
// more.
void DriverDaemon::OfferRoom() {
  std::vector<const Application*> takers;
  for (const auto& [id, application] : applications_) {
    if (application.info.takes_all() && application.session != kNoSession &&
        application.requests.empty() && !application.is_ending && !application.is_recovered) {
      takers.push_back(&application);
    }
  }
  std::sort(takers.begin(), takers.end(),
            [](const Application* a, const Application* b) { return a->order < b->order; });
  std::vector<NodeFacts> nodes = Nodes();
  for (const Application* application : takers) {
    const std::vector<int> cores =
        PossibleWorkers(FactsOf(*application), nodes, options_.is_spread);
    if (cores.empty()) continue;
    proto::ToApplication message;
    message.mutable_room()->mutable_possible_cores()->Add(cores.begin(), cores.end());
    peers_.SendToApplication(application->session, std::move(message));
  }
}

void DriverDaemon::AllocateAfter(int64_t delay_micros) {
  env_.After(delay_micros, [this] { AllocateSoon(); });
}

bool DriverDaemon::MayLaunch(const Application& application) const {
  const int64_t now = env_.MonotonicMicros();
  return application.session != kNoSession && !application.requests.empty() &&
         now >= application.launch_after_micros && !application.is_recovered;
}

std::vector<NodeFacts> DriverDaemon::Nodes() const {
  std::vector<NodeFacts> nodes;
  for (const auto& [id, executor] : executors_) {
    nodes.push_back({.executor_id = id,
                     .cores = executor.info.cores(),
                     .cores_free = executor.info.cores() - executor.cores_used,
                     .memory_mb = executor.info.memory_mb(),
                     .memory_mb_free = executor.info.memory_mb() - executor.memory_mb_used});
  }
  return nodes;
}

ApplicationFacts DriverDaemon::FactsOf(const Application& application) const {
  ApplicationFacts facts{.demand = application.info.demand()};
  for (const proto::RequestWorker& request : application.requests) {
    facts.wanted_cores.push_back(request.cores());
  }
  if (facts.demand.cores_max() == 0) facts.demand.set_cores_max(options_.cores_default);
  for (const auto& [worker_id, worker] : application.workers) {
    facts.cores_held += worker.cores;
    ++facts.workers_held[worker.executor_id];
  }
  return facts;
}

void DriverDaemon::Allocate() {
  std::vector<Application*> waiting;
  for (auto& [id, application] : applications_) {
    if (MayLaunch(application)) waiting.push_back(&application);
    if (application.requests.empty()) application.waiting.clear();
  }
  std::sort(waiting.begin(), waiting.end(),
            [](const Application* a, const Application* b) { return a->order < b->order; });
  std::vector<ApplicationFacts> facts;
  facts.reserve(waiting.size());
  for (const Application* application : waiting) facts.push_back(FactsOf(*application));
  const std::vector<NodeFacts> nodes = Nodes();
  const Allocation allocation = millrace::Allocate(facts, nodes, options_.is_spread);
  for (const Placement& placement : allocation.placements) {
    Launch(*waiting[placement.application], executors_[nodes[placement.node].executor_id],
           placement);
  }
  for (size_t i = 0; i < waiting.size(); ++i) {
    if (waiting[i]->waiting == allocation.waiting[i]) continue;
    waiting[i]->waiting = allocation.waiting[i];
    proto::ToApplication message;
    message.mutable_waiting()->set_reason(allocation.waiting[i]);
    peers_.SendToApplication(waiting[i]->session, std::move(message));
  }
}

void DriverDaemon::Launch(Application& application, Executor& executor,
                          const Placement& placement) {
  const proto::RequestWorker request = application.requests.front();
  application.requests.pop_front();
  const int64_t worker_id = request.worker_id();
  application.workers[worker_id] = {.executor_id = executor.info.executor_id(),
                                    .cores = placement.cores,
                                    .memory_mb = application.info.demand().memory_mb_per_worker(),
                                    .launched_micros = env_.MonotonicMicros()};
  executor.cores_used += placement.cores;
  executor.memory_mb_used += application.info.demand().memory_mb_per_worker();
  // The application first: a worker may be quick.
  TellLaunched(application, worker_id);
  proto::ToExecutor to_executor;
  proto::LaunchWorker& launch = *to_executor.mutable_launch_worker();
  launch.mutable_worker()->set_app_id(application.record.app_id());
  launch.mutable_worker()->set_worker_id(worker_id);
  launch.mutable_worker()->set_cores(placement.cores);
  launch.mutable_worker()->set_memory_mb(application.info.demand().memory_mb_per_worker());
  *launch.mutable_program() = application.info.program();
  launch.set_driver_address(request.driver_address());
  application.driver_address = request.driver_address();
  *launch.mutable_logs() = application.info.logs();
  peers_.SendToExecutor(executor.session, std::move(to_executor));
}

// While this process stands still (stopped, or kept by a slow disk) it hears nobody: that time
// counts against no one.
void DriverDaemon::ForgiveSilence(int64_t micros) {
  const int64_t now = env_.MonotonicMicros();
  for (auto& [id, executor] : executors_) {
    executor.heard_micros = std::min(executor.heard_micros + micros, now);
  }
  for (auto& [id, application] : applications_) {
    application.heard_micros = std::min(application.heard_micros + micros, now);
  }
}

// Who is silent is lost; who does not come back is given up.
void DriverDaemon::Check() {
  const int64_t now = env_.MonotonicMicros();
  if (now - check_due_micros_ > kCheckMicros) ForgiveSilence(now - check_due_micros_);
  std::vector<std::string> silent;
  for (const auto& [id, executor] : executors_) {
    if (now - executor.heard_micros > options_.peer_timeout_micros) silent.push_back(id);
  }
  for (const std::string& id : silent) LoseExecutor(id, "no heartbeat came");
  std::vector<std::string> gone;
  for (auto& [id, application] : applications_) {
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
  for (auto& [id, application] : applications_) {
    if (!application.is_recovered || application.session == kNoSession ||
        now - application.registered_micros < kConfirmMicros) {
      continue;
    }
    application.is_recovered = false;
    GiveClaimsUp(application);
    if (!IsMade(Mistake::kGivenUpWorkersAdopted)) EndUnconfirmed(application);
    ShareOutSoon();
  }
}

void DriverDaemon::CheckLater() {
  check_due_micros_ = env_.MonotonicMicros() + kCheckMicros;
  env_.After(kCheckMicros, [this] { Check(); });
}

void DriverDaemon::UpdateArtifactsInUse() {
  std::set<std::string> in_use = submissions_.ArtifactsInUse();
  for (const auto& [id, application] : applications_) {
    if (IsMade(Mistake::kFilesOfAbsentUnused) && !application.info.has_program()) continue;
    // Also of those that have not come back yet after a restart.
    in_use.insert(application.record.artifacts().begin(), application.record.artifacts().end());
  }
  artifacts_.SetInUse(std::move(in_use));
}

std::string DriverDaemon::WhyNever(const proto::Demand& demand) const {
  return millrace::WhyNever(demand, Nodes());
}

DriverDaemon::Application* DriverDaemon::ApplicationOf(SessionId session) {
  const auto it = application_of_session_.find(session);
  return it == application_of_session_.end() ? nullptr : &applications_[it->second];
}

proto::ApplicationStatus DriverDaemon::StatusOf(const Application& application) const {
  proto::ApplicationStatus status;
  status.set_app_id(application.record.app_id());
  status.set_name(application.record.name());
  status.set_submission_id(application.record.submission_id());
  status.set_driver_address(application.driver_address);
  status.set_started_ms(application.record.started_ms());
  status.set_waiting(application.waiting);
  status.set_is_connected(application.session != kNoSession);
  int cores = 0;
  for (const auto& [worker_id, worker] : application.workers) {
    cores += worker.cores;
    proto::PlacedWorker& placed = *status.add_workers();
    placed.set_worker_id(worker_id);
    placed.set_executor_id(worker.executor_id);
    const auto executor = executors_.find(worker.executor_id);
    if (executor != executors_.end()) placed.set_host(executor->second.info.host());
    placed.set_cores(worker.cores);
    placed.set_memory_mb(worker.memory_mb);
  }
  status.set_cores(cores);
  return status;
}

proto::ListReply DriverDaemon::List() const {
  proto::ListReply reply;
  for (const proto::SubmissionStatus& status : submissions_.List()) {
    *reply.add_submissions() = status;
  }
  for (const proto::ApplicationStatus& status : ended_) *reply.add_applications() = status;
  for (const auto& [id, application] : applications_) {
    *reply.add_applications() = StatusOf(application);
  }
  for (const auto& [id, executor] : executors_) {
    proto::ExecutorStatus& status = *reply.add_executors();
    status.set_executor_id(id);
    status.set_host(executor.info.host());
    status.set_http_address(executor.info.http_address());
    status.set_grpc_address(executor.info.grpc_address());
    status.set_cores(executor.info.cores());
    status.set_cores_used(executor.cores_used);
    status.set_memory_mb(executor.info.memory_mb());
    status.set_memory_mb_used(executor.memory_mb_used);
    status.set_heartbeat_age_ms((env_.MonotonicMicros() - executor.heard_micros) / 1000);
  }
  return reply;
}

}  // namespace millrace
