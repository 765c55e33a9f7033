#include "tests/sim/daemon_host.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crypto/sha256.h"
#include "common/fs/file_util.h"
#include "glog/logging.h"

namespace millrace::sim {
namespace {

constexpr char kDir[] = "/daemon";
constexpr int64_t kWaitMsMax = 60'000;
constexpr uint64_t kArtifactBytesMax = 1 << 20;
// Between parts of a file that is sent.
constexpr int64_t kPartMicrosMax = 20'000;

}  // namespace

// One process of the daemon. Its ends of connections do what daemon_services.cc does.
class DaemonHost::Incarnation final : public DaemonPeers, public RunHost {
 public:
  explicit Incarnation(DaemonHost& host)
      : host_(host), process_(host.site_, host.endpoint_.machine) {
    process_.env().JumpWallClock(host.wall_offset_micros_);
    process_.env().Post([this] { Begin(); });
  }

  Process& process() { return process_; }
  const DriverDaemon& daemon() const { return *daemon_; }

  // DaemonPeers
  void SendToExecutor(SessionId session, proto::ToExecutor message) override {
    if (message.has_launch_worker()) CheckLaunch(message.launch_worker().worker());
    if (const auto it = sessions_.find(session); it != sessions_.end()) {
      it->second->SendToCaller(std::move(message));
    }
  }
  void SendToApplication(SessionId session, proto::ToApplication message) override {
    if (const auto it = sessions_.find(session); it != sessions_.end()) {
      it->second->SendToCaller(std::move(message));
    }
  }
  void Close(SessionId session, absl::Status status) override {
    if (const auto it = sessions_.find(session); it != sessions_.end()) it->second->Close(status);
  }

  // RunHost: those of the machine, which outlive this process.
  absl::Status Start(const RunId& run, const proto::RunRequest& request,
                     const std::vector<std::pair<std::string, std::string>>& files) override {
    if (!process_.BeforeStep()) return absl::UnavailableError("the process has ended");
    for (const auto& [name, path] : files) {
      if (!process_.files().Stat(path).ok()) return absl::NotFoundError(path);
    }
    if (!process_.files().Stat(request.program_path()).ok()) {
      return absl::NotFoundError(request.program_path());
    }
    absl::Status status = host_.runs_.Start(run, request);
    process_.BeforeStep();
    return status;
  }
  std::optional<proto::ProcessExit> Poll(const RunId& run) override {
    return process_.is_alive() ? host_.runs_.Poll(run) : std::nullopt;
  }
  bool RequestEnd(const RunId& run) override {
    return process_.BeforeStep() && host_.runs_.RequestEnd(run);
  }
  void Forget(const std::string& submission_id) override {
    if (process_.BeforeStep()) host_.runs_.Forget(submission_id);
  }

 private:
  void Begin() {
    if (!process_.is_alive()) return;
    const absl::Status status = Recover();
    if (!process_.is_alive()) return;
    if (!status.ok()) {
      host_.site_.Fail(absl::StrCat("the driver daemon does not start: ", status.ToString()));
      return;
    }
    host_.endpoint_.process = &process_;
  }

  absl::Status Recover() {
    SimEnv& env = process_.env();
    auto artifacts = ArtifactStore::Open(
        process_.files(), {.dir = absl::StrCat(kDir, "/artifacts"),
                           .bytes_max = host_.options_.artifact_bytes_max,
                           .now_ms = [&env] { return env.NowMicros() / 1000; },
                           .make_executable = [](const std::string&) { return absl::OkStatus(); }});
    if (!artifacts.ok()) return artifacts.status();
    artifacts_ = *std::move(artifacts);
    submissions_ = std::make_unique<Submissions>(
        env, *this, *artifacts_,
        Submissions::Options{.dir = absl::StrCat(kDir, "/submissions"),
                             .running_max = host_.options_.running_max,
                             .ended_max = host_.options_.ended_max});
    submissions_->SetMasterUrl(absl::StrCat("millrace://", kDaemonAddress));
    daemon_ = std::make_unique<DriverDaemon>(
        env, *this, *submissions_, *artifacts_,
        DriverDaemon::Options{.applications_dir = absl::StrCat(kDir, "/applications"),
                              .is_spread = host_.options_.is_spread,
                              .peer_timeout_micros = host_.options_.peer_timeout_micros,
                              .ended_max = host_.options_.ended_max});
    const absl::Status status = submissions_->Recover();
    return status.ok() ? daemon_->Recover() : status;
  }

  friend class DaemonHost;

  // A number is started again only for an application that asked for it again.
  void CheckLaunch(const proto::WorkerRef& ref) {
    if (!process_.is_alive() || launched_.insert({ref.app_id(), ref.worker_id()}).second) return;
    const Application& application = *host_.site_.applications.at(ref.app_id());
    const auto worker = application.workers().find(ref.worker_id());
    if (!application.is_alive()) return;
    if (worker == application.workers().end() || worker->second.is_launched) {
      host_.site_.Fail(
          absl::StrCat("worker ", ref.worker_id(), " of ", ref.app_id(), " is started again"));
    }
  }

  Connection::Handlers Accept(Service service, const Connection::Ref& connection) {
    switch (service) {
      case Service::kExecutors:
        return SessionHandlers<proto::FromExecutor>(connection, &DriverDaemon::OnExecutorMessage);
      case Service::kApplications:
        return SessionHandlers<proto::FromApplication>(connection,
                                                       &DriverDaemon::OnApplicationMessage);
      case Service::kSubmissions:
        return {.on_message =
                    [this, connection](const google::protobuf::Message& message) {
                      AnswerSubmission(connection, message);
                    },
                .on_closed = nullptr};
      case Service::kArtifacts:
        return {.on_message =
                    [this, connection](const google::protobuf::Message& message) {
                      AnswerArtifact(connection, static_cast<const proto::ProgramFile&>(message));
                    },
                .on_closed = nullptr};
      case Service::kWorkers:
        break;
    }
    LOG(FATAL) << "no service of the driver daemon";
  }

  template <class Message>
  Connection::Handlers SessionHandlers(const Connection::Ref& connection,
                                       void (DriverDaemon::*on_message)(SessionId,
                                                                        const Message&)) {
    const SessionId id = ++last_session_;
    sessions_[id] = connection;
    return {.on_message =
                [this, id, on_message](const google::protobuf::Message& message) {
                  (*daemon_.*on_message)(id, static_cast<const Message&>(message));
                },
            .on_closed =
                [this, id](const absl::Status&) {
                  sessions_.erase(id);
                  daemon_->OnClosed(id);
                }};
  }

  template <class Reply>
  static void Finish(const Connection::Ref& connection, absl::StatusOr<Reply> reply) {
    const absl::Status status = reply.status();
    if (status.ok()) connection->SendToCaller(*std::move(reply));
    connection->Close(status);
  }

  void AnswerSubmission(const Connection::Ref& connection,
                        const google::protobuf::Message& message) {
    if (const auto* submit = dynamic_cast<const proto::SubmitRequest*>(&message)) {
      const auto status = submissions_->Submit(*submit);
      if (!status.ok()) return connection->Close(status.status());
      proto::SubmitReply reply;
      reply.set_submission_id(status->submission_id());
      reply.set_warning(daemon_->WhyNever(submit->demand()));
      return Finish<proto::SubmitReply>(connection, reply);
    }
    if (const auto* wait = dynamic_cast<const proto::StatusRequest*>(&message)) {
      const int64_t wait_ms = std::clamp<int64_t>(wait->wait_ms(), 0, kWaitMsMax);
      return submissions_->GetStatus(
          wait->submission_id(), wait_ms * 1000,
          [connection](const absl::StatusOr<proto::SubmissionStatus>& status) {
            Finish(connection, status);
          });
    }
    if (const auto* kill = dynamic_cast<const proto::KillRequest*>(&message)) {
      return Finish(connection, submissions_->Kill(kill->submission_id()));
    }
    Finish<proto::ListReply>(connection, daemon_->List());
  }

  // A file without a name is asked for, one with a name has that in it.
  void AnswerArtifact(const Connection::Ref& connection, const proto::ProgramFile& file) {
    if (file.name().empty()) return Finish(connection, FetchArtifact(file.sha256()));
    if (artifacts_->Has(file.sha256())) return Finish<proto::ProgramFile>(connection, file);
    host_.site_.cluster.fs.SetNowMs(process_.env().NowMicros() / 1000);
    auto upload = artifacts_->BeginUpload(file.sha256(), static_cast<int64_t>(file.name().size()));
    if (!upload.ok()) return connection->Close(upload.status());
    TakePart(connection, file, 0, *std::move(upload));
  }

  void TakePart(const Connection::Ref& connection, const proto::ProgramFile& file, size_t taken,
                std::unique_ptr<ArtifactStore::Upload> upload) {
    const auto shared = std::make_shared<std::unique_ptr<ArtifactStore::Upload>>(std::move(upload));
    World& world = host_.site_.cluster.world;
    process_.env().After(world.Delay(kPartMicrosMax), [this, connection, file, taken, shared] {
      if (!process_.is_alive() || !connection->is_open()) return;
      const size_t size = std::min((file.name().size() + 2) / 3, file.name().size() - taken);
      absl::Status status = (*shared)->Append(file.name().substr(taken, size));
      if (status.ok() && taken + size < file.name().size()) {
        return TakePart(connection, file, taken + size, std::move(*shared));
      }
      if (status.ok()) status = (*shared)->Commit();
      if (!status.ok()) return connection->Close(status);
      Finish<proto::ProgramFile>(connection, file);
    });
  }

  absl::StatusOr<proto::ProgramFile> FetchArtifact(const std::string& sha256) {
    auto path = artifacts_->PathOf(sha256);
    if (!path.ok()) return path.status();
    const auto bytes = ReadWholeFile(process_.files(), *path, kArtifactBytesMax);
    if (!bytes.ok()) return bytes.status();
    if (process_.is_alive() && Sha256Hex(*bytes) != sha256) {
      host_.site_.Fail(absl::StrCat("the artifact ", sha256, " has other bytes"));
    }
    proto::ProgramFile file;
    file.set_name(*bytes);
    file.set_sha256(sha256);
    return file;
  }

  DaemonHost& host_;
  std::map<SessionId, Connection::Ref> sessions_;
  SessionId last_session_ = kNoSession;
  std::set<std::pair<std::string, int64_t>> launched_;  // Application and number.
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<Submissions> submissions_;
  std::unique_ptr<DriverDaemon> daemon_;
  // First gone, and with it what is still to come and uses the others.
  Process process_;
};

DaemonHost::DaemonHost(Site& site, Runs& runs, const Options& options)
    : site_(site), runs_(runs), options_(options) {
  endpoint_.machine = runs.machine();
  endpoint_.accept = [this](Service service, const Connection::Ref& connection) {
    return incarnations_.back()->Accept(service, connection);
  };
  site_.endpoints[kDaemonAddress] = &endpoint_;
  for (const char* const name : {"/daemon/submissions", "/daemon/applications"}) {
    CHECK_EQ(site_.cluster.fs.CreateDirs(name), absl::OkStatus());
  }
}

DaemonHost::~DaemonHost() = default;

void DaemonHost::Start() {
  if (process() != nullptr) return;
  // Of what the one before has not synced.
  if (++started_count_ > 1 && site_.cluster.world.OneIn(2)) site_.cluster.fs.LoseUnsynced();
  site_.Log("the driver daemon starts");
  incarnations_.push_back(std::make_unique<Incarnation>(*this));
}

Process* DaemonHost::process() {
  if (incarnations_.empty() || !incarnations_.back()->process().is_alive()) return nullptr;
  return &incarnations_.back()->process();
}

const DriverDaemon& DaemonHost::daemon() const { return incarnations_.back()->daemon(); }

void DaemonHost::OnEnd(const std::string& why) {
  site_.Log(absl::StrCat("the driver daemon is killed ", why));
  endpoint_.process = nullptr;
}

void DaemonHost::Kill() {
  Process* const running = process();
  if (running == nullptr) return;
  OnEnd("");
  running->End();
}

void DaemonHost::KillAfterSteps(int64_t steps) {
  if (process() == nullptr) return;
  process()->EndAfterSteps(steps, [this] { OnEnd("between two steps"); });
}

void DaemonHost::KillAfterChanges(int64_t changes) {
  if (process() == nullptr) return;
  process()->EndAfterChanges(changes, [this] { OnEnd("between two changes of files"); });
}

void DaemonHost::StayAlive() {
  if (process() != nullptr) process()->StayAlive();
}

void DaemonHost::JumpWallClock(int64_t micros) {
  wall_offset_micros_ += micros;
  if (process() != nullptr) process()->env().JumpWallClock(micros);
}

int64_t DaemonHost::WallMs() {
  return process() == nullptr ? 0 : process()->env().NowMicros() / 1000;
}

}  // namespace millrace::sim
