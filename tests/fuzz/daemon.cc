// The driver daemon: what executor daemons, applications and millrace-submit say to it, and what it
// finds in its state directory.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/artifact/artifact_store.h"
#include "driver/daemon/daemon_pages.h"
#include "driver/daemon/driver_daemon.h"
#include "driver/daemon/submissions.h"
#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_script.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

// The two kinds of records stand before all else: they are there when the daemon starts.
enum Kind : uint8_t { kExecutor, kApplication, kSubmit, kMoment, kSubmission, kKnown, kKinds };

constexpr SessionId kExecutors = 3;
constexpr SessionId kApplications = 2;
constexpr char kProgram[] = "program";

// Runs end when the script says so.
class ScriptedRuns : public RunHost {
 public:
  absl::Status Start(const RunId& run, const proto::RunRequest& /*request*/,
                     const std::vector<std::pair<std::string, std::string>>& files) override {
    for (const auto& [name, path] : files) CHECK(name.find('/') == std::string::npos) << name;
    CHECK(run.submission_id.find('/') == std::string::npos);
    return absl::OkStatus();
  }
  std::optional<proto::ProcessExit> Poll(const RunId& /*run*/) override {
    return std::exchange(next_exit, std::nullopt);
  }
  bool RequestEnd(const RunId& /*run*/) override { return true; }
  void Forget(const std::string& /*submission_id*/) override {}

  std::optional<proto::ProcessExit> next_exit;
};

class Peers : public DaemonPeers {
 public:
  void SendToExecutor(SessionId /*session*/, proto::ToExecutor /*message*/) override {}
  void SendToApplication(SessionId session, proto::ToApplication message) override {
    if (message.has_registered()) app_ids[session] = message.registered().app_id();
  }
  void Close(SessionId session, absl::Status /*status*/) override { closed.push_back(session); }

  std::map<SessionId, std::string> app_ids;
  std::vector<SessionId> closed;
};

class Harness {
 public:
  // With what an earlier daemon has left of itself.
  explicit Harness(const std::vector<ScriptStep>& steps) {
    env_.JumpWall(1'000'000'000'000);
    for (const char* const directory : {"/submissions", "/applications"}) {
      CHECK(fs_.CreateDirs(directory).ok());
    }
    fs_.SetFault([](FileOp /*op*/, const std::string& path) {
      CHECK(path.find("/../") == std::string::npos) << path;
      return absl::OkStatus();
    });
    int count = 0;
    for (const ScriptStep& step : steps) {
      const uint8_t kind = step.kind % kKinds;
      if (kind != kSubmission && kind != kKnown) continue;
      const std::string directory = kind == kSubmission ? "/submissions/" : "/applications/";
      const std::string path = directory + std::to_string(++count);
      CHECK((*fs_.OpenForWrite(path, WriteMode::kTruncate))->Append(step.bytes).ok());
    }
    CHECK(fs_.CreateDirs("/artifacts").ok());
    const std::string program = "/artifacts/" + Sha256Hex(kProgram);
    CHECK((*fs_.OpenForWrite(program, WriteMode::kTruncate))->Append(kProgram).ok());
    artifacts_ = *ArtifactStore::Open(
        fs_, {.dir = "/artifacts", .bytes_max = 1 << 20, .now_ms = [] { return 0; }});
    Submissions::Options submissions;
    submissions.dir = "/submissions";
    submissions.running_max = 2;
    submissions.ended_max = 2;
    submissions_ = std::make_unique<Submissions>(env_, runs_, *artifacts_, std::move(submissions));
    DriverDaemon::Options options;
    options.applications_dir = "/applications";
    daemon_ = std::make_unique<DriverDaemon>(env_, peers_, *submissions_, *artifacts_,
                                             std::move(options));
    has_started_ = submissions_->Recover().ok() && daemon_->Recover().ok();
    env_.RunUntilIdle();
  }

  bool has_started() const { return has_started_; }

  bool Take(const ScriptStep& step) {
    bool is_right = true;
    switch (step.kind % kKinds) {
      case kExecutor:
        is_right =
            TakeMessage<proto::FromExecutor>(step, &DriverDaemon::OnExecutorMessage, 1, kExecutors);
        break;
      case kApplication:
        is_right = TakeMessage<proto::FromApplication>(step, &DriverDaemon::OnApplicationMessage,
                                                       1 + kExecutors, kApplications);
        break;
      case kSubmit:
        is_right = Submit(step);
        break;
      case kMoment:
        Pass(step.bytes);
        break;
      default:
        return true;  // It is on the disk.
    }
    env_.RunUntilIdle();
    // As the sessions' owner does.
    for (const SessionId session : std::exchange(peers_.closed, {})) daemon_->OnClosed(session);
    env_.RunUntilIdle();
    Look();
    return is_right;
  }

 private:
  // The first byte chooses the session.
  template <class Message>
  bool TakeMessage(const ScriptStep& step, void (DriverDaemon::*handle)(SessionId, const Message&),
                   SessionId first, SessionId count) {
    Message message;
    if (!ParseStep(step, message)) return false;
    NameArtifacts(message);
    (daemon_.get()->*handle)(first + step.kind / kKinds % count, message);
    return true;
  }

  // A digest is never the outcome of a small change; a short one stands for that of the program.
  static void NameProgram(proto::Program& program) {
    if (program.sha256().size() == 1) program.set_sha256(Sha256Hex(kProgram));
    for (proto::ProgramFile& file : *program.mutable_files()) {
      if (file.sha256().size() == 1) file.set_sha256(Sha256Hex(kProgram));
    }
  }
  static void NameArtifacts(proto::FromExecutor& /*message*/) {}
  static void NameArtifacts(proto::FromApplication& message) {
    if (message.has_register_()) NameProgram(*message.mutable_register_()->mutable_program());
  }

  bool Submit(const ScriptStep& step) {
    proto::SubmitRequest request;
    if (!ParseStep(step, request)) return false;
    NameProgram(*request.mutable_program());
    const auto status = submissions_->Submit(request);
    daemon_->WhyNever(request.demand());
    if (!status.ok()) return false;
    submission_id_ = status->submission_id();
    return true;
  }

  void Pass(const std::string& bytes) {
    const auto what = static_cast<uint8_t>(bytes.empty() ? 0 : bytes[0]);
    switch (what % 8) {
      case 0:
        return env_.Advance(1'000'000);
      case 1:
        return env_.Advance(70'000'000);
      case 2:
        return daemon_->OnClosed(1 + what / 8 % (kExecutors + kApplications));
      case 3:
        submissions_->Kill(submission_id_).status().IgnoreError();
        return;
      case 4:
        runs_.next_exit.emplace().set_code(what / 8);
        return env_.Advance(100'000);
      case 5:
        return submissions_->GetStatus(submission_id_, 1'000'000 * (what / 8),
                                       [](const auto& /*status*/) {});
      default:
        return env_.Advance(10'000'000);
    }
  }

  // What is shown of it is well-formed, and no node has less than nothing in use.
  void Look() const {
    const proto::ListReply list = daemon_->List();
    for (const proto::ExecutorStatus& executor : list.executors()) {
      CHECK_GE(executor.cores_used(), 0);
      CHECK_GE(executor.memory_mb_used(), 0);
      CHECK_GT(executor.cores(), 0) << "an executor that has not registered";
    }
    StateJson(list);
    ApplicationsJson(list);
    CHECK(StateHtml(list, "millrace://here:7").find("<script") == std::string::npos);
  }

  MemoryFileSystem fs_;
  FakeEnv env_{fs_};
  ScriptedRuns runs_;
  Peers peers_;
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<Submissions> submissions_;
  std::unique_ptr<DriverDaemon> daemon_;
  bool has_started_ = false;
  std::string submission_id_;
};

bool Run(std::string_view bytes) {
  const std::vector<ScriptStep> steps = ReadScript(bytes);
  Harness harness(steps);
  if (!harness.has_started()) return false;
  bool is_right = true;
  for (const ScriptStep& step : steps) is_right = harness.Take(step) && is_right;
  return is_right;
}

// -----------------------------------------------------------------------------------------------
// Seeds.

ScriptStep Moment(uint8_t what) { return {kMoment, std::string(1, static_cast<char>(what))}; }

// Of executor 0, 1, ... and application 0, 1.
uint8_t KindOf(Kind kind, int session) { return static_cast<uint8_t>(kind + session * kKinds); }

ScriptStep Executor(int session, const std::string& app_id = "") {
  proto::FromExecutor message;
  proto::RegisterExecutor& request = *message.mutable_register_();
  request.set_executor_id("e" + std::to_string(session));
  request.set_host("host");
  request.set_cores(4);
  request.set_memory_mb(4096);
  if (!app_id.empty()) {
    proto::WorkerRef& worker = *request.add_workers();
    worker.set_app_id(app_id);
    worker.set_worker_id(5);
    worker.set_cores(2);
    worker.set_memory_mb(512);
  }
  return StepOf(KindOf(kExecutor, session), message);
}

proto::FromApplication Registration(const std::string& app_id = "") {
  proto::FromApplication message;
  proto::RegisterApplication& request = *message.mutable_register_();
  request.set_app_id(app_id);
  request.set_name("count");
  request.mutable_program()->set_sha256("p");
  request.mutable_program()->set_name("count");
  request.mutable_demand()->set_memory_mb_per_worker(512);
  return message;
}

ScriptStep RequestWorker(int64_t worker_id) {
  proto::FromApplication message;
  message.mutable_request_worker()->set_worker_id(worker_id);
  message.mutable_request_worker()->set_cores(2);
  return StepOf(kApplication, message);
}

std::string ApplicationSeed() {
  std::vector<ScriptStep> steps{Executor(0), Executor(1), StepOf(kApplication, Registration())};
  for (const int64_t id : {1, 2, 3}) steps.push_back(RequestWorker(id));
  steps.push_back(Moment(0));
  proto::FromExecutor ended;
  ended.mutable_worker_ended()->set_worker_id(1);
  ended.mutable_worker_ended()->mutable_exit()->set_code(1);
  steps.push_back(StepOf(kExecutor, ended));
  proto::FromApplication release;
  release.mutable_release_worker()->set_worker_id(2);
  steps.push_back(StepOf(kApplication, release));
  steps.push_back(Moment(2));
  proto::FromApplication end;
  end.mutable_unregister();
  steps.push_back(StepOf(kApplication, end));
  return WriteScript(steps);
}

std::string RestartSeed() {
  proto::ApplicationRecord record;
  record.set_version(1);
  record.set_app_id("app-1");
  record.set_name("count");
  std::vector<ScriptStep> steps{StepOf(kKnown, record), Executor(0, "app-1")};
  proto::FromApplication again = Registration("app-1");
  again.mutable_register_()->add_launched_workers(5);
  again.mutable_register_()->add_launched_workers(6);
  steps.push_back(StepOf(kApplication, again));
  steps.push_back(RequestWorker(7));
  steps.push_back(Moment(6));
  steps.push_back(Moment(1));
  return WriteScript(steps);
}

proto::SubmitRequest Submission() {
  proto::SubmitRequest request;
  request.set_name("count");
  request.mutable_program()->set_sha256("p");
  request.mutable_program()->set_name("count");
  request.mutable_program()->add_argv("--flag");
  proto::ProgramFile& file = *request.mutable_program()->add_files();
  file.set_name("words.txt");
  file.set_sha256("p");
  request.set_supervise(true);
  request.set_request_id("request");
  return request;
}

std::string SubmissionSeed() {
  proto::SubmissionRecord record;
  record.set_version(1);
  *record.mutable_request() = Submission();
  record.mutable_status()->set_submission_id("driver-1");
  record.mutable_status()->set_state(proto::RELAUNCHING);
  record.mutable_status()->set_attempt(1);
  proto::SubmitRequest other = Submission();
  other.set_request_id("other");
  return WriteScript({StepOf(kSubmission, record), StepOf(kSubmit, Submission()), Moment(0),
                      StepOf(kSubmit, other), Moment(4 + 8), Moment(5 + 16), Moment(6), Moment(3),
                      Moment(4)});
}

FuzzSeeds Seeds() {
  return {{"application", ApplicationSeed()},
          {"restart", RestartSeed()},
          {"submission", SubmissionSeed()}};
}

std::vector<const google::protobuf::Message*> Prototypes() {
  return {
      &proto::FromExecutor::default_instance(),     &proto::FromApplication::default_instance(),
      &proto::SubmitRequest::default_instance(),    nullptr,
      &proto::SubmissionRecord::default_instance(), &proto::ApplicationRecord::default_instance()};
}

const FuzzTarget target("daemon", Run, Seeds, Prototypes);

}  // namespace
}  // namespace millrace::internal
