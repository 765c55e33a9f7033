// The driver daemon, and the machine on which it is started again.
#ifndef MILLRACE_TESTS_SIM_DAEMON_HOST_H_
#define MILLRACE_TESTS_SIM_DAEMON_HOST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "driver/daemon/driver_daemon.h"
#include "driver/daemon/submissions.h"
#include "tests/sim/daemon_connection.h"
#include "tests/sim/daemon_runs.h"

namespace millrace::sim {

inline constexpr char kDaemonAddress[] = "daemon:7077";

// Each process of it is the product's DriverDaemon, Submissions and ArtifactStore on a simulated
// Env, over the files that the one before has left.
//
// Threads: whoever has the turn.
class DaemonHost {
 public:
  struct Options {
    int running_max = 100;
    int ended_max = 100;
    int64_t artifact_bytes_max = 0;
    bool is_spread = true;
    int64_t peer_timeout_micros = 20'000'000;
  };

  // Both outlive it.
  DaemonHost(Site& site, Runs& runs, const Options& options);
  ~DaemonHost();

  // What the one before has not synced is lost, or not.
  void Start();
  void Kill();
  // ...in the midst of what it does, if it does so much.
  void KillAfterSteps(int64_t steps);
  void KillAfterChanges(int64_t changes);
  void StayAlive();

  NodeId machine() const { return endpoint_.machine; }
  // Null: there is none.
  Process* process();
  // It has recovered and listens.
  bool is_up() const { return endpoint_.process != nullptr; }
  // While it is up.
  const DriverDaemon& daemon() const;
  int64_t started_count() const { return started_count_; }
  // The wall clock of its machine, also of those processes that are to come.
  void JumpWallClock(int64_t micros);
  int64_t WallMs();

 private:
  class Incarnation;

  void OnEnd(const std::string& why);

  Site& site_;
  Runs& runs_;
  const Options options_;
  Endpoint endpoint_;
  int64_t wall_offset_micros_ = 0;
  int64_t started_count_ = 0;
  std::vector<std::unique_ptr<Incarnation>> incarnations_;  // The last one may live.
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_HOST_H_
