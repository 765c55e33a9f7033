#include "tests/sim/daemon_users.h"

#include <signal.h>

#include "absl/strings/str_cat.h"
#include "common/crypto/sha256.h"
#include "tests/sim/daemon_host.h"

namespace millrace::sim {
namespace {

constexpr int64_t kAgainMicrosMax = 3'000'000;
constexpr int64_t kWaitMsMax = 20'000;
// Their workers are left for 30 s.
constexpr int64_t kStartAgainMicrosMax = 40'000'000;

bool HasEnded(proto::SubmissionState state) {
  return state == proto::FINISHED || state == proto::FAILED || state == proto::KILLED;
}

}  // namespace

DaemonUsers::DaemonUsers(Site& site)
    : site_(site),
      machine_(site.cluster.NewNode()),
      application_machine_(site.cluster.NewNode()),
      process_(site, machine_) {}

DaemonUsers::~DaemonUsers() = default;

void DaemonUsers::StartApplication(const ApplicationPlan& plan, const std::string& resumes_app_id) {
  site_.Log(absl::StrCat(plan.name, " is started by a user",
                         resumes_app_id.empty() ? "" : ", again, behind ", resumes_app_id));
  const size_t index = applications_.size();
  applications_.push_back(std::make_unique<Application>(
      site_, application_machine_,
      Application::Options{.plan = plan,
                           .submission_id = "",
                           .resumes_app_id = resumes_app_id,
                           .on_exit = [this, plan, index](const proto::ProcessExit& exit) {
                             site_.Log(absl::StrCat(plan.name, " ends with code ", exit.code(),
                                                    ": ", exit.reason()));
                             const bool has_crashed = exit.signal() == SIGSEGV;
                             if (has_crashed && plan.is_recoverable) {
                               StartAgainLater(*applications_[index]);
                             }
                           }}));
}

void DaemonUsers::StartAgainLater(const Application& ended) {
  const std::string& app_id = ended.app_id().empty() ? ended.resumes_app_id() : ended.app_id();
  ++waiting_count_;
  process_.env().After(site_.cluster.world.Between(1, kStartAgainMicrosMax),
                       [this, plan = ended.plan(), app_id] {
                         --waiting_count_;
                         StartApplication(plan, app_id);
                       });
}

void DaemonUsers::StartOneAgain() {
  if (applications_.empty()) return;
  const int64_t last = static_cast<int64_t>(applications_.size()) - 1;
  const Application& picked =
      *applications_[static_cast<size_t>(site_.cluster.world.Between(0, last))];
  if (picked.plan().is_recoverable) StartApplication(picked.plan(), picked.app_id());
}

void DaemonUsers::Submit(const ApplicationPlan& plan, bool supervise, int failing_attempts) {
  submitted_.push_back(std::make_unique<Submitted>());
  Submitted& submitted = *submitted_.back();
  submitted.plan = plan;
  submitted.supervise = supervise;
  submitted.failing_attempts = failing_attempts;
  submitted.request_id = absl::StrCat("request-", submitted_.size());
  ++waiting_count_;
  Upload(submitted);
}

bool DaemonUsers::AsksAgain(Submitted& submitted, const absl::Status& status) {
  if (absl::IsUnavailable(status)) {
    submitted.is_given_up = site_.cluster.world.OneIn(16);
  } else if (absl::IsResourceExhausted(status)) {
    submitted.is_given_up = true;  // Other users have it all.
  } else if (!absl::IsNotFound(status)) {
    site_.Fail(absl::StrCat(submitted.plan.name, " is refused: ", status.ToString()));
    submitted.is_given_up = true;
  }
  if (submitted.is_given_up) --waiting_count_;
  return !submitted.is_given_up;
}

void DaemonUsers::UploadBytes(const std::string& bytes,
                              std::function<void(const absl::Status&)> on_answer) {
  proto::ProgramFile program;
  program.set_name(bytes);
  program.set_sha256(Sha256Hex(bytes));
  Ask(process_, kDaemonAddress, Service::kArtifacts, program,
      [on_answer = std::move(on_answer)](const absl::StatusOr<MessageRef>& answer) {
        on_answer(answer.status());
      });
}

void DaemonUsers::Upload(Submitted& submitted) {
  UploadBytes(submitted.plan.bytes, [this, &submitted](const absl::Status& status) {
    if (status.ok()) return SendSubmit(submitted);
    if (!AsksAgain(submitted, status)) return;
    process_.env().After(site_.cluster.world.Between(1, kAgainMicrosMax),
                         [this, &submitted] { Upload(submitted); });
  });
}

void DaemonUsers::SendSubmit(Submitted& submitted) {
  proto::SubmitRequest request;
  request.set_name(submitted.plan.name);
  *request.mutable_program() = ProgramOf(submitted.plan);
  request.set_supervise(submitted.supervise);
  *request.mutable_demand() = submitted.plan.demand;
  request.set_request_id(submitted.request_id);
  Ask(process_, kDaemonAddress, Service::kSubmissions, request,
      [this, &submitted](const absl::StatusOr<MessageRef>& answer) {
        if (!answer.ok()) {
          submitted.is_refused = absl::IsResourceExhausted(answer.status());
          if (!AsksAgain(submitted, answer.status())) return;
          // The program may have gone meanwhile.
          process_.env().After(site_.cluster.world.Between(1, kAgainMicrosMax),
                               [this, &submitted] { Upload(submitted); });
          return;
        }
        --waiting_count_;
        submitted.submission_id = static_cast<const proto::SubmitReply&>(**answer).submission_id();
        site_.Log(absl::StrCat(submitted.plan.name, " is ", submitted.submission_id,
                               submitted.supervise ? ", supervised" : ""));
      });
}

Submitted* DaemonUsers::Find(const std::string& program_name) const {
  for (const auto& submitted : submitted_) {
    if (submitted->plan.name == program_name) return submitted.get();
  }
  return nullptr;
}

Submitted* DaemonUsers::PickAnswered() {
  if (submitted_.empty()) return nullptr;
  const int64_t last = static_cast<int64_t>(submitted_.size()) - 1;
  Submitted& picked = *submitted_[static_cast<size_t>(site_.cluster.world.Between(0, last))];
  return picked.submission_id.empty() ? nullptr : &picked;
}

void DaemonUsers::KillOne() {
  if (Submitted* const submitted = PickAnswered()) Kill(*submitted);
}

void DaemonUsers::Kill(Submitted& submitted) {
  submitted.is_kill_asked = true;
  ++waiting_count_;
  proto::KillRequest request;
  request.set_submission_id(submitted.submission_id);
  Ask(process_, kDaemonAddress, Service::kSubmissions, request,
      [this, &submitted](const absl::StatusOr<MessageRef>& answer) {
        --waiting_count_;
        if (absl::IsResourceExhausted(answer.status())) {  // Its disk is full.
          process_.env().After(site_.cluster.world.Between(1, kAgainMicrosMax),
                               [this, &submitted] { Kill(submitted); });
          return;
        }
        if (answer.ok()) {
          site_.Log(absl::StrCat(submitted.submission_id, " will be killed"));
          submitted.is_kill_answered = true;
        }
        // FailedPrecondition: it has ended, with what is seen when it is looked at.
        if (!absl::IsFailedPrecondition(answer.status())) OnStatus(submitted, answer);
      });
}

void DaemonUsers::LookAtOne() {
  Submitted* const submitted = PickAnswered();
  if (submitted == nullptr) return;
  proto::StatusRequest request;
  request.set_submission_id(submitted->submission_id);
  World& world = site_.cluster.world;
  if (world.OneIn(2)) request.set_wait_ms(world.Between(1, kWaitMsMax));
  Ask(process_, kDaemonAddress, Service::kSubmissions, request,
      [this, submitted](const absl::StatusOr<MessageRef>& answer) {
        OnStatus(*submitted, answer);
      });
}

void DaemonUsers::LookAtAll() {
  Ask(process_, kDaemonAddress, Service::kSubmissions, proto::ListRequest(),
      [this](const absl::StatusOr<MessageRef>& answer) {
        if (answer.ok()) OnList(static_cast<const proto::ListReply&>(**answer));
      });
}

void DaemonUsers::OnList(const proto::ListReply& list) {
  for (const proto::ExecutorStatus& executor : list.executors()) {
    const bool is_possible =
        executor.cores_used() >= 0 && executor.cores_used() <= executor.cores() &&
        executor.memory_mb_used() >= 0 && executor.memory_mb_used() <= executor.memory_mb();
    if (!is_possible) {
      site_.Fail(absl::StrCat("more is in use than there is: ", executor.ShortDebugString()));
    }
  }
}

void DaemonUsers::OnStatus(Submitted& submitted, const absl::StatusOr<MessageRef>& answer) {
  const std::string& id = submitted.submission_id;
  if (!answer.ok()) {
    if (absl::IsUnavailable(answer.status())) return;
    if (absl::IsNotFound(answer.status()) && may_be_forgotten_(submitted)) return;
    return site_.Fail(absl::StrCat(id, ": ", answer.status().ToString()));
  }
  const auto& status = static_cast<const proto::SubmissionStatus&>(**answer);
  const proto::SubmissionStatus before = std::exchange(submitted.status, status);
  if (status.name() != submitted.plan.name || status.submission_id() != id ||
      status.supervise() != submitted.supervise) {
    site_.Fail(absl::StrCat(id, " is said to be ", status.ShortDebugString()));
  }
  // Answers may overtake one another, but not what is final.
  if (HasEnded(before.state()) && HasEnded(status.state()) && before.state() != status.state()) {
    site_.Fail(absl::StrCat(id, " was ", proto::SubmissionState_Name(before.state()),
                            " and is now ", proto::SubmissionState_Name(status.state())));
  }
  if (status.state() == proto::KILLED && !submitted.is_kill_asked) {
    site_.Fail(absl::StrCat(id, " is killed, and nobody asked for it"));
  }
}

}  // namespace millrace::sim
