// Drivers in the cluster: started, watched, started again.
#ifndef MILLRACE_DRIVER_DAEMON_SUBMISSIONS_H_
#define MILLRACE_DRIVER_DAEMON_SUBMISSIONS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/artifact/artifact_store.h"
#include "common/env/env.h"
#include "driver/daemon/record_dir.h"
#include "driver/daemon/run_host.h"
#include "proto/daemon_state.pb.h"
#include "proto/submit.pb.h"

namespace millrace {

// What a program must be whoever sends it: names without directories, digests that are digests.
absl::Status CheckProgram(const proto::Program& program);

// A submission's way: SUBMITTED, RUNNING, and FINISHED or FAILED or KILLED; with `supervise` a
// failure leads to RELAUNCHING and RUNNING again, after 1, 2, 4, ... at most 30 seconds, counted
// anew when an attempt has run for more than 5.
//
// Threads: the daemon core's event loop.
// Invariant: what is true of a submission is on the disk before anybody is told or anything is
// started, so that a daemon that was killed goes on where it was.
class Submissions {
 public:
  struct Options {
    std::string dir;
    int running_max = 100;
    int waiting_max = 1000;  // Those above that are refused.
    int ended_max = 100;     // Those above that are forgotten, with their logs.
    // Added to every driver's environment, NAME=value.
    std::vector<std::string> environment = {};
  };
  static constexpr int64_t kRelaunchMicrosMax = 30'000'000;
  static constexpr int64_t kSteadyMicros = 5'000'000;
  static constexpr int64_t kPollMicros = 50'000;
  static constexpr int64_t kStoreAgainMicros = 1'000'000;

  using StatusReply = std::function<void(absl::StatusOr<proto::SubmissionStatus>)>;

  Submissions(Env& env, RunHost& host, ArtifactStore& artifacts, Options options);

  // Drivers find this daemon by it: millrace://host:port. Before anything is started.
  void SetMasterUrl(std::string url) { master_url_ = std::move(url); }

  // What the daemon before knew; its drivers that run are watched on. Once, before all else.
  absl::Status Recover();

  // Errors say what is wrong with the request, or that the record could not be written.
  absl::StatusOr<proto::SubmissionStatus> Submit(const proto::SubmitRequest& request);

  // Answers when it has ended, at the latest after `wait_micros`. NotFound.
  void GetStatus(const std::string& submission_id, int64_t wait_micros, StatusReply reply);

  // NotFound; FailedPrecondition: it has ended.
  absl::StatusOr<proto::SubmissionStatus> Kill(const std::string& submission_id);

  // In the order in which they came.
  std::vector<proto::SubmissionStatus> List() const;

  // Its driver has registered as `app_id`.
  void SetApplication(const std::string& submission_id, const std::string& app_id);

  // True: it runs or will run again, so that its application may come back.
  bool MayComeBack(const std::string& submission_id) const;

  // Of submissions that have not ended.
  std::set<std::string> ArtifactsInUse() const;

  // Called when that changes.
  void SetOnChange(std::function<void()> on_change) { on_change_ = std::move(on_change); }

 private:
  struct Submission {
    proto::SubmissionRecord record;
    TimerId start_timer = kNoTimer;
    bool is_end_requested = false;
    std::map<TimerId, StatusReply> waiting;
  };

  absl::Status Check(const proto::SubmitRequest& request) const;
  absl::Status Store(const Submission& submission);
  // Stores; when that fails the submission goes on, and what a restart would see is logged.
  void StoreOrLog(const Submission& submission);
  void StartWaiting();
  void StartAttempt(Submission& submission);
  void StartAgain(Submission& submission);
  void StartLater(Submission& submission);
  void OnAttemptEnded(Submission& submission, const proto::ProcessExit& exit);
  void End(Submission& submission, proto::SubmissionState state);
  void ForgetOldest();
  void SchedulePoll();
  void Poll();
  int RunningCount() const;
  absl::Status StartRun(const Submission& submission);

  Env& env_;
  RunHost& host_;
  ArtifactStore& artifacts_;
  const Options options_;
  std::string master_url_;
  RecordDir<proto::SubmissionRecord> records_;
  std::map<std::string, Submission> submissions_;  // By id.
  std::map<std::string, std::string> by_request_id_;
  TimerId poll_timer_ = kNoTimer;
  TimerId start_waiting_timer_ = kNoTimer;
  std::function<void()> on_change_ = [] {};
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_SUBMISSIONS_H_
