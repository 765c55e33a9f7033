// Those who use a cluster: they submit programs, look at them and stop them, and start applications
// of their own.
#ifndef MILLRACE_TESTS_SIM_DAEMON_USERS_H_
#define MILLRACE_TESTS_SIM_DAEMON_USERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proto/submit.pb.h"
#include "tests/sim/daemon_application.h"
#include "tests/sim/daemon_connection.h"

namespace millrace::sim {

// A program that a user has asked to be run in the cluster, and what the answers were.
struct Submitted {
  ApplicationPlan plan;
  bool supervise = false;
  int failing_attempts = 0;  // So many end with an error, each after a while.
  std::string request_id;
  std::string submission_id;   // Empty: not answered.
  bool is_given_up = false;    // The user does not ask again: it may run or not.
  bool is_refused = false;     // So it must not run.
  bool is_kill_asked = false;  // It may have been heard.
  bool is_kill_answered = false;
  proto::SubmissionStatus status;  // The last one that was seen.
};

// One machine and one process for all of them, and one machine for their applications.
//
// Threads: whoever has the turn.
class DaemonUsers {
 public:
  // True of a submission that may have been forgotten.
  using MayBeForgotten = std::function<bool(const Submitted& submitted)>;

  explicit DaemonUsers(Site& site);
  ~DaemonUsers();

  // Before all else.
  void SetMayBeForgotten(MayBeForgotten may_be_forgotten) {
    may_be_forgotten_ = std::move(may_be_forgotten);
  }

  void Submit(const ApplicationPlan& plan, bool supervise, int failing_attempts);
  // One that is recoverable is started again when it crashes.
  void StartApplication(const ApplicationPlan& plan, const std::string& resumes_app_id = "");
  // As if one that runs had crashed.
  void StartOneAgain();
  // Of one of those that were answered; nothing if there is none.
  void Kill(Submitted& submitted);
  void KillOne();
  void LookAtOne();
  void LookAtAll();
  void UploadBytes(const std::string& bytes, std::function<void(const absl::Status&)> on_answer);

  NodeId machine() const { return machine_; }
  NodeId application_machine() const { return application_machine_; }
  // Requests that wait for an answer, or are about to be repeated.
  int waiting_count() const { return waiting_count_; }
  std::vector<std::unique_ptr<Submitted>>& submitted() { return submitted_; }
  // Null: no user has submitted it.
  Submitted* Find(const std::string& program_name) const;
  // On the users' machine, those that have ended too.
  const std::vector<std::unique_ptr<Application>>& applications() const { return applications_; }

 private:
  void StartAgainLater(const Application& ended);
  void Upload(Submitted& submitted);
  void SendSubmit(Submitted& submitted);
  // False: it is not asked again.
  bool AsksAgain(Submitted& submitted, const absl::Status& status);
  void OnList(const proto::ListReply& list);
  void OnStatus(Submitted& submitted, const absl::StatusOr<MessageRef>& answer);
  Submitted* PickAnswered();

  Site& site_;
  const NodeId machine_;
  const NodeId application_machine_;
  Process process_;
  MayBeForgotten may_be_forgotten_;
  int waiting_count_ = 0;
  std::vector<std::unique_ptr<Submitted>> submitted_;
  std::vector<std::unique_ptr<Application>> applications_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_USERS_H_
