// The driver daemon: which nodes there are, which applications, and who works for whom.
#ifndef MILLRACE_DRIVER_DAEMON_DRIVER_DAEMON_H_
#define MILLRACE_DRIVER_DAEMON_DRIVER_DAEMON_H_

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/artifact/artifact_store.h"
#include "common/env/env.h"
#include "driver/daemon/allocation.h"
#include "driver/daemon/cluster_books.h"
#include "driver/daemon/daemon_peers.h"
#include "driver/daemon/record_dir.h"
#include "driver/daemon/submissions.h"
#include "driver/daemon/worker_allocator.h"
#include "proto/daemon_state.pb.h"

namespace millrace {

// A state machine behind Env and DaemonPeers.
//
// Whoever works goes on when the daemon dies: its executor daemons and applications connect to the
// next one and say what they have. Until kRecoveryMicros after its start that one gives no new
// workers to applications that it knows from the disk, since some of theirs may still be on their
// way back.
//
// Threads: the event loop of `env`.
class DriverDaemon {
 public:
  struct Options {
    std::string applications_dir;
    bool is_spread = true;
    // Silence after which a peer counts as lost.
    int64_t peer_timeout_micros = 60'000'000;
    // Of an application whose connection broke: as long as this its workers wait for it, and three
    // times as long where its driver may be started again.
    int64_t application_grace_micros = 10'000'000;
    int worker_failures_max = 10;  // In a row, before the application is given up.
    int cores_default = 0;         // Of an application that does not say; 0: all.
    int ended_max = 100;           // Applications that are remembered after their end.
  };
  static constexpr int64_t kRecoveryMicros = 5'000'000;
  static constexpr int64_t kWorkerSteadyMicros = 10'000'000;

  // All outlive this.
  DriverDaemon(Env& env, DaemonPeers& peers, Submissions& submissions, ArtifactStore& artifacts,
               Options options);

  // What the daemon before knew. Once, before all else, and behind that of the submissions.
  absl::Status Recover();

  void OnExecutorMessage(SessionId session, const proto::FromExecutor& message);
  void OnApplicationMessage(SessionId session, const proto::FromApplication& message);
  void OnClosed(SessionId session);

  // Why no node could hold a worker of this size; empty: one can.
  std::string WhyNever(const proto::Demand& demand) const;

  // What runs where.
  proto::ListReply List() const;

 private:
  using Executor = ClusterBooks::Executor;
  using Worker = ClusterBooks::Worker;
  using Application = ClusterBooks::Application;
  // Its application may have workers that have not come back yet after our start, or a driver that
  // has died and whose connection has not broken yet.
  struct WaitingDriver {
    proto::RegisterApplication request;
    int64_t came_micros = 0;  // Monotonic.
  };

  void OnRegisterExecutor(SessionId session, const proto::RegisterExecutor& request);
  void OnWorkerEnded(const proto::WorkerEnded& ended);
  void AdoptWorker(Executor& executor, const proto::WorkerRef& worker);
  void LoseExecutor(const std::string& executor_id, const std::string& why);

  // It came to the daemon at `came_micros`, and may have waited since.
  void OnRegisterApplication(SessionId session, const proto::RegisterApplication& request,
                             int64_t came_micros);
  absl::StatusOr<std::string> NewApplication(const proto::RegisterApplication& request);
  Application* EarlierAttempt(const proto::RegisterApplication& request);
  static bool MayTakeOver(const Application& application,
                          const proto::RegisterApplication& request);
  absl::Status TakeOver(Application& application, const proto::RegisterApplication& request);
  void LeaveBehind(const std::string& app_id);
  bool MustWait(SessionId session, const proto::RegisterApplication& request, int64_t came_micros);
  void RegisterThoseThatWait();
  void TellRegistered(const Application& application, bool is_taken_over);
  void OnMoved(Application& application, const std::string& driver_address);
  int64_t GraceOf(const Application& application) const;
  void OnRequestWorker(Application& application, const proto::RequestWorker& request);
  void OnReleaseWorker(Application& application, int64_t worker_id);
  absl::Status CheckApplication(const proto::RegisterApplication& request) const;
  void EndApplication(const std::string& app_id, const std::string& error);
  void RemoveWorker(Application& application, int64_t worker_id, const proto::ProcessExit& exit);
  void TellLost(const Application& application, int64_t worker_id, const proto::ProcessExit& exit);
  void GiveClaimsUp(Application& application);
  void EndUnconfirmed(Application& application);
  void EndRecovery();
  void CountFailure(Application& application, const Worker& worker, const proto::ProcessExit& exit);
  void EndWorker(const std::string& executor_id, const std::string& app_id, int64_t worker_id);

  void Check();
  void CheckLater();
  void ForgiveSilence(int64_t micros);
  void UpdateArtifactsInUse();
  // Of every peer: some may come late before it counts as lost.
  int64_t HeartbeatIntervalMs() const { return options_.peer_timeout_micros / 4000; }

  Env& env_;
  DaemonPeers& peers_;
  Submissions& submissions_;
  ArtifactStore& artifacts_;
  const Options options_;
  const int64_t started_micros_;
  ClusterBooks books_;
  WorkerAllocator allocator_;
  RecordDir<proto::ApplicationRecord> records_;
  std::map<SessionId, WaitingDriver> waiting_registrations_;
  std::deque<proto::ApplicationStatus> ended_;
  int64_t check_due_micros_ = 0;  // Monotonic.
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_DRIVER_DAEMON_H_
