// The executor daemon of a node: it offers the node's cores and memory to the driver daemon, and
// runs the workers that this asks for.
#ifndef MILLRACE_EXECUTOR_DAEMON_EXECUTOR_DAEMON_H_
#define MILLRACE_EXECUTOR_DAEMON_EXECUTOR_DAEMON_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/env/env.h"
#include "executor/daemon/driver_link.h"
#include "executor/daemon/worker_host.h"

namespace millrace {

// A state machine behind Env, DriverLink and WorkerHost. Workers run on while the driver daemon is
// away: the next connection begins with what there is.
//
// Threads: the event loop of `env`.
class ExecutorDaemon {
 public:
  struct Options {
    proto::RegisterExecutor registration;  // Without workers.
    // The driver daemon will never have us: a wrong secret, another version, on the first try.
    std::function<void(const absl::Status&)> on_refused;
  };
  static constexpr int64_t kReconnectMicros = 100'000;
  static constexpr int64_t kReconnectMicrosMax = 1'000'000;

  struct WorkerStatus {
    proto::WorkerRef worker;
    bool is_ending = false;
  };

  // All outlive this.
  ExecutorDaemon(Env& env, DriverLink& link, WorkerHost& workers, Options options);

  void Start();

  bool is_registered() const { return is_registered_; }
  std::vector<WorkerStatus> workers() const;

 private:
  using WorkerKey = std::pair<std::string, int64_t>;  // Application and number.

  void Connect();
  void OnMessage(const proto::ToExecutor& message);
  void OnClosed(const absl::Status& status);
  void ScheduleHeartbeat(int64_t interval_micros);
  void Launch(const proto::LaunchWorker& launch);
  void End(const WorkerKey& key);
  void OnWorkerEnded(const WorkerKey& key, const proto::ProcessExit& exit);
  void Forget(const std::string& app_id);
  void MoveWorkers(const proto::MoveWorkers& move);
  bool HasWorkersOf(const std::string& app_id) const;

  Env& env_;
  DriverLink& link_;
  WorkerHost& host_;
  const Options options_;
  std::map<WorkerKey, WorkerStatus> workers_;
  std::set<std::string> forgotten_;  // Applications whose workers are ending.
  bool is_registered_ = false;
  bool was_registered_ = false;
  int64_t reconnect_micros_ = kReconnectMicros;
  TimerId heartbeat_timer_ = kNoTimer;
};

}  // namespace millrace

#endif  // MILLRACE_EXECUTOR_DAEMON_EXECUTOR_DAEMON_H_
