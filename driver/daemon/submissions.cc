#include "driver/daemon/submissions.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/mistake.h"
#include "common/base/status_macros.h"
#include "driver/daemon/daemon_id.h"
#include "glog/logging.h"

namespace millrace {

namespace {

constexpr int kArgumentsMax = 10'000;
constexpr int kFilesMax = 1000;
// Much less than what a record may have: the record also says how attempts ended.
constexpr size_t kRequestBytesMax = size_t{4} << 20;
constexpr int64_t kDriverMemoryMbMax = int64_t{1} << 30;

bool HasEnded(proto::SubmissionState state) {
  return state == proto::FINISHED || state == proto::FAILED || state == proto::KILLED;
}

RunId RunOf(const proto::SubmissionStatus& status) {
  return {.submission_id = status.submission_id(), .attempt = status.attempt()};
}

absl::Status CheckFileName(const std::string& name) {
  if (!name.empty() && name != "." && name != ".." && name.size() <= 255 &&
      name.find('/') == std::string::npos && name.find('\0') == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", name.substr(0, 80), "' is not the name of a file without a directory"));
}

}  // namespace

absl::Status CheckProgram(const proto::Program& program) {
  if (!IsSha256Hex(program.sha256())) {
    return absl::InvalidArgumentError("the program's SHA-256 is missing");
  }
  RETURN_IF_ERROR(CheckFileName(program.name()));
  if (program.argv_size() > kArgumentsMax || program.files_size() > kFilesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", kArgumentsMax, " arguments or ", kFilesMax, " files"));
  }
  for (const proto::ProgramFile& file : program.files()) {
    RETURN_IF_ERROR(CheckFileName(file.name()));
    if (!IsSha256Hex(file.sha256())) {
      return absl::InvalidArgumentError(
          absl::StrCat("the SHA-256 of the file '", file.name(), "' is missing"));
    }
  }
  return absl::OkStatus();
}

Submissions::Submissions(Env& env, RunHost& host, ArtifactStore& artifacts, Options options)
    : env_(env),
      host_(host),
      artifacts_(artifacts),
      options_(std::move(options)),
      records_(env.fs(), options_.dir) {}

absl::Status Submissions::Recover() {
  ASSIGN_OR_RETURN(std::vector<proto::SubmissionRecord> records, records_.ReadAll());
  for (proto::SubmissionRecord& record : records) {
    const std::string id = record.status().submission_id();
    by_request_id_[record.request().request_id()] = id;
    Submission& submission = submissions_[id];
    submission.record = std::move(record);
    const proto::SubmissionState state = submission.record.status().state();
    const bool waits = state == proto::SUBMITTED || state == proto::RELAUNCHING;
    if (waits && submission.record.is_kill_requested()) {
      End(submission, proto::KILLED);
    } else if (state == proto::RELAUNCHING) {
      StartLater(submission);
    }
  }
  ForgetOldest();
  StartWaiting();
  SchedulePoll();
  return absl::OkStatus();
}

absl::Status Submissions::Check(const proto::SubmitRequest& request) const {
  RETURN_IF_ERROR(CheckProgram(request.program()));
  if (request.ByteSizeLong() > kRequestBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the arguments and settings have ", request.ByteSizeLong(),
                     " bytes, more than ", kRequestBytesMax, ": put them into a file of --files"));
  }
  if (request.driver_memory_mb() < 0 || request.driver_memory_mb() > kDriverMemoryMbMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a driver of ", request.driver_memory_mb(), " MiB is not possible"));
  }
  const auto waiting = std::count_if(
      submissions_.begin(), submissions_.end(),
      [](const auto& entry) { return entry.second.record.status().state() == proto::SUBMITTED; });
  if (waiting >= options_.waiting_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat(waiting, " submissions wait already until one of the ", options_.running_max,
                     " drivers that may run ends: try again later, or raise --drivers_max"));
  }
  std::vector<std::string> wanted = {request.program().sha256()};
  for (const proto::ProgramFile& file : request.program().files()) wanted.push_back(file.sha256());
  for (const std::string& sha256 : wanted) RETURN_IF_ERROR(artifacts_.PathOf(sha256).status());
  return absl::OkStatus();
}

absl::StatusOr<proto::SubmissionStatus> Submissions::Submit(const proto::SubmitRequest& request) {
  if (!request.request_id().empty()) {
    const auto known = by_request_id_.find(request.request_id());
    if (known != by_request_id_.end()) return submissions_[known->second].record.status();
  }
  RETURN_IF_ERROR(Check(request));
  const std::string id =
      NewDaemonId("driver", env_.NowMicros(), /*first_number=*/0,
                  [&](const std::string& taken) { return submissions_.contains(taken); });
  Submission submission;
  *submission.record.mutable_request() = request;
  proto::SubmissionStatus& status = *submission.record.mutable_status();
  status.set_submission_id(id);
  status.set_name(request.name().empty() ? request.program().name() : request.name());
  status.set_state(proto::SUBMITTED);
  status.set_submitted_ms(env_.NowMicros() / 1000);
  status.set_supervise(request.supervise());
  RETURN_IF_ERROR(Store(submission));
  submissions_[id] = std::move(submission);
  if (!request.request_id().empty()) by_request_id_[request.request_id()] = id;
  StartWaiting();
  on_change_();
  return submissions_[id].record.status();
}

void Submissions::GetStatus(const std::string& submission_id, int64_t wait_micros,
                            StatusReply reply) {
  const auto it = submissions_.find(submission_id);
  if (it == submissions_.end()) {
    reply(absl::NotFoundError(absl::StrCat("there is no submission '", submission_id.substr(0, 80),
                                           "'; millrace-submit --list shows those there are")));
    return;
  }
  Submission& submission = it->second;
  if (wait_micros <= 0 || HasEnded(submission.record.status().state())) {
    reply(submission.record.status());
    return;
  }
  const auto timer = std::make_shared<TimerId>(kNoTimer);
  *timer = env_.After(wait_micros, [this, submission_id, timer] {
    Submission& waited_for = submissions_[submission_id];
    const auto waiting = waited_for.waiting.extract(*timer);
    waiting.mapped()(waited_for.record.status());
  });
  submission.waiting[*timer] = std::move(reply);
}

absl::StatusOr<proto::SubmissionStatus> Submissions::Kill(const std::string& submission_id) {
  const auto it = submissions_.find(submission_id);
  if (it == submissions_.end()) {
    return absl::NotFoundError(absl::StrCat("there is no submission '", submission_id.substr(0, 80),
                                            "'; millrace-submit --list shows those there are"));
  }
  Submission& submission = it->second;
  const proto::SubmissionState state = submission.record.status().state();
  if (HasEnded(state)) {
    return absl::FailedPreconditionError(
        absl::StrCat(submission_id, " has ended already: ", proto::SubmissionState_Name(state)));
  }
  const bool was_requested = submission.record.is_kill_requested();
  submission.record.set_is_kill_requested(true);
  const absl::Status stored =
      IsMade(Mistake::kKillUnrecorded) ? absl::OkStatus() : Store(submission);
  if (!stored.ok()) {
    submission.record.set_is_kill_requested(was_requested);
    return stored;
  }
  if (state == proto::RUNNING) {
    submission.is_end_requested = host_.RequestEnd(RunOf(submission.record.status()));
  } else {
    End(submission, proto::KILLED);
  }
  return submission.record.status();
}

std::vector<proto::SubmissionStatus> Submissions::List() const {
  std::vector<proto::SubmissionStatus> list;
  list.reserve(submissions_.size());
  for (const auto& [id, submission] : submissions_) list.push_back(submission.record.status());
  return list;
}

void Submissions::SetApplication(const std::string& submission_id, const std::string& app_id) {
  const auto it = submissions_.find(submission_id);
  if (it == submissions_.end()) return;
  it->second.record.mutable_status()->set_app_id(app_id);
  StoreOrLog(it->second);
}

bool Submissions::MayComeBack(const std::string& submission_id) const {
  const auto it = submissions_.find(submission_id);
  return it != submissions_.end() && !HasEnded(it->second.record.status().state());
}

std::set<std::string> Submissions::ArtifactsInUse() const {
  std::set<std::string> in_use;
  for (const auto& [id, submission] : submissions_) {
    if (HasEnded(submission.record.status().state())) continue;
    const proto::Program& program = submission.record.request().program();
    in_use.insert(program.sha256());
    for (const proto::ProgramFile& file : program.files()) in_use.insert(file.sha256());
  }
  return in_use;
}

absl::Status Submissions::Store(const Submission& submission) {
  return records_.Write(submission.record.status().submission_id(), submission.record);
}

void Submissions::StoreOrLog(const Submission& submission) {
  const absl::Status status = Store(submission);
  LOG_IF(ERROR, !status.ok()) << "a restart would see an older state of "
                              << submission.record.status().submission_id() << ": " << status;
}

// Those that came first, first.
void Submissions::StartWaiting() {
  int running = RunningCount();
  for (auto& [id, submission] : submissions_) {
    if (running >= options_.running_max) return;
    if (submission.record.status().state() != proto::SUBMITTED) continue;
    StartAttempt(submission);
    ++running;
  }
}

void Submissions::StartAttempt(Submission& submission) {
  const proto::SubmissionRecord before = submission.record;
  proto::SubmissionStatus& status = *submission.record.mutable_status();
  status.set_attempt(status.attempt() + 1);
  status.set_state(proto::RUNNING);
  status.set_next_start_ms(0);
  submission.record.set_attempt_started_ms(env_.NowMicros() / 1000);
  submission.is_end_requested = false;
  // On the disk before it is started: a daemon that dies in between finds no process of it, and not
  // a process that it does not know.
  const bool is_recorded_late = IsMade(Mistake::kSubmissionStartedUnrecorded);
  const absl::Status stored = is_recorded_late ? absl::OkStatus() : Store(submission);
  if (!stored.ok()) {
    LOG(ERROR) << status.submission_id() << " is not started yet: " << stored;
    submission.record = before;
    StartAgain(submission);
    return;
  }
  const absl::Status started = StartRun(submission);
  if (is_recorded_late) StoreOrLog(submission);
  if (!started.ok()) {
    proto::ProcessExit exit;
    exit.set_code(127);
    exit.set_reason(std::string(started.message()));
    OnAttemptEnded(submission, exit);
    return;
  }
  LOG(INFO) << status.submission_id() << ": attempt " << status.attempt() << " of " << status.name()
            << " was started";
  SchedulePoll();
}

// Its record could not be written, as when the disk is full. What would be said of it now would not
// be true for the next daemon.
void Submissions::StartAgain(Submission& submission) {
  if (submission.record.status().state() == proto::RELAUNCHING) {
    const std::string id = submission.record.status().submission_id();
    submission.start_timer =
        env_.After(kStoreAgainMicros, [this, id] { StartAttempt(submissions_[id]); });
  } else if (start_waiting_timer_ == kNoTimer) {
    start_waiting_timer_ = env_.After(kStoreAgainMicros, [this] {
      start_waiting_timer_ = kNoTimer;
      StartWaiting();
    });
  }
}

absl::Status Submissions::StartRun(const Submission& submission) {
  const proto::SubmitRequest& request = submission.record.request();
  ASSIGN_OR_RETURN(const std::string path, artifacts_.PathOf(request.program().sha256()));
  proto::RunRequest run;
  run.set_program_path(path);
  run.add_argv(request.program().name());
  run.add_argv(absl::StrCat("--millrace_conf=millrace.master=", master_url_));
  for (const std::string& argument : request.program().argv()) run.add_argv(argument);
  for (const std::string& variable : options_.environment) run.add_environment(variable);
  run.add_environment(
      absl::StrCat("MILLRACE_SUBMISSION_ID=", submission.record.status().submission_id()));
  run.set_memory_bytes_max(request.driver_memory_mb() << 20);
  std::vector<std::pair<std::string, std::string>> files;
  for (const proto::ProgramFile& file : request.program().files()) {
    ASSIGN_OR_RETURN(std::string file_path, artifacts_.PathOf(file.sha256()));
    files.emplace_back(file.name(), std::move(file_path));
  }
  return host_.Start(RunOf(submission.record.status()), run, files);
}

void Submissions::OnAttemptEnded(Submission& submission, const proto::ProcessExit& exit) {
  proto::SubmissionStatus& status = *submission.record.mutable_status();
  *status.mutable_exit() = exit;
  LOG(INFO) << status.submission_id() << ": attempt " << status.attempt() << " " << exit.reason();
  const bool is_failure = exit.code() != 0 || exit.signal() != 0;
  if (submission.record.is_kill_requested()) {
    End(submission, proto::KILLED);
  } else if (!is_failure) {
    End(submission, proto::FINISHED);
  } else if (!status.supervise()) {
    End(submission, proto::FAILED);
  } else {
    const int64_t ran_micros = env_.NowMicros() - submission.record.attempt_started_ms() * 1000;
    int failures = ran_micros > kSteadyMicros ? 0 : submission.record.failures_in_a_row();
    const int64_t delay_micros =
        std::min(int64_t{1'000'000} << std::min(failures, 10), kRelaunchMicrosMax);
    submission.record.set_failures_in_a_row(++failures);
    status.set_state(proto::RELAUNCHING);
    status.set_next_start_ms((env_.NowMicros() + delay_micros) / 1000);
    StoreOrLog(submission);
    StartLater(submission);
    on_change_();
  }
}

void Submissions::StartLater(Submission& submission) {
  const std::string id = submission.record.status().submission_id();
  // The record is from the disk: its time may be any.
  const int64_t now_ms = env_.NowMicros() / 1000;
  const int64_t start_ms = std::clamp(submission.record.status().next_start_ms(), now_ms,
                                      now_ms + kRelaunchMicrosMax / 1000);
  const int64_t delay_micros = (start_ms - now_ms) * 1000;
  submission.start_timer = env_.After(delay_micros, [this, id] { StartAttempt(submissions_[id]); });
}

void Submissions::End(Submission& submission, proto::SubmissionState state) {
  proto::SubmissionStatus& status = *submission.record.mutable_status();
  status.set_state(state);
  status.set_ended_ms(env_.NowMicros() / 1000);
  status.set_next_start_ms(0);
  env_.Cancel(submission.start_timer);
  StoreOrLog(submission);
  for (auto& [timer, reply] : std::exchange(submission.waiting, {})) {
    env_.Cancel(timer);
    reply(status);
  }
  // Not at once: the caller still uses this one.
  env_.Post([this] {
    ForgetOldest();
    StartWaiting();
  });
  on_change_();
}

void Submissions::ForgetOldest() {
  std::vector<std::pair<int64_t, std::string>> ended;
  for (const auto& [id, submission] : submissions_) {
    const proto::SubmissionStatus& status = submission.record.status();
    if (HasEnded(status.state())) ended.emplace_back(status.ended_ms(), id);
  }
  std::sort(ended.begin(), ended.end());
  for (size_t i = 0; i + static_cast<size_t>(options_.ended_max) < ended.size(); ++i) {
    const std::string& id = ended[i].second;
    // Its record last: a daemon that dies in between leaves nothing that the next one would not
    // know.
    host_.Forget(id);
    const absl::Status status = records_.Delete(id);
    LOG_IF(WARNING, !status.ok()) << "the record of " << id << " stays: " << status;
    by_request_id_.erase(submissions_[id].record.request().request_id());
    submissions_.erase(id);
  }
}

int Submissions::RunningCount() const {
  return static_cast<int>(std::count_if(
      submissions_.begin(), submissions_.end(),
      [](const auto& entry) { return entry.second.record.status().state() == proto::RUNNING; }));
}

void Submissions::SchedulePoll() {
  if (poll_timer_ != kNoTimer || RunningCount() == 0) return;
  poll_timer_ = env_.After(kPollMicros, [this] {
    poll_timer_ = kNoTimer;
    Poll();
    SchedulePoll();
  });
}

void Submissions::Poll() {
  for (auto& [id, submission] : submissions_) {
    const proto::SubmissionStatus& status = submission.record.status();
    if (status.state() != proto::RUNNING) continue;
    if (const std::optional<proto::ProcessExit> exit = host_.Poll(RunOf(status))) {
      OnAttemptEnded(submission, *exit);
    } else if (submission.record.is_kill_requested() && !submission.is_end_requested) {
      submission.is_end_requested = host_.RequestEnd(RunOf(status));
    }
  }
}

}  // namespace millrace
