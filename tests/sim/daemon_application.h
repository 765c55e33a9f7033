// The driver of an application, as the daemons see it.
#ifndef MILLRACE_TESTS_SIM_DAEMON_APPLICATION_H_
#define MILLRACE_TESTS_SIM_DAEMON_APPLICATION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "proto/application.pb.h"
#include "tests/sim/daemon_connection.h"

namespace millrace::sim {

// What an application is and does.
struct ApplicationPlan {
  std::string name;
  std::string bytes;  // Of its program.
  proto::Demand demand;
  int workers = 1;  // At first; of one that takes all, as many as there is room for.
  bool takes_all = false;
  bool changes_size = false;    // Some workers come and go while it runs.
  int64_t lifetime_micros = 0;  // Behind its registration; 0: until it is told to end.
  int exit_code = 0;            // At the end of its life.
  bool ends_when_told = true;   // False: SIGTERM does not end it.
  bool is_recoverable = false;  // It goes on from a checkpoint when it is started again.
};

proto::Program ProgramOf(const ApplicationPlan& plan);

// What DaemonWorkerLauncher and WorkerFleet of client/cluster say to the daemons and to workers, in
// one process that does nothing else.
//
// Threads: whoever has the turn.
class Application {
 public:
  struct Options {
    ApplicationPlan plan;
    std::string submission_id;        // Empty: it runs on a user's machine.
    std::string resumes_app_id = "";  // Of its checkpoint; empty: there is none.
    std::function<void(const proto::ProcessExit& exit)> on_exit;
  };
  enum class Phase : uint8_t { kAskedFor, kJoined, kGone };
  struct Worker {
    int cores = 1;
    bool is_launched = false;  // The daemon has said so.
    bool is_released = false;
    Phase phase = Phase::kAskedFor;
    Connection::Ref connection = nullptr;
  };

  // The site outlives it.
  Application(Site& site, NodeId machine, Options options);
  ~Application();

  // SIGTERM.
  void RequestEnd();
  void Kill(int signal, const std::string& reason);

  Process& process() { return process_; }
  bool is_alive() const { return process_.is_alive(); }
  const ApplicationPlan& plan() const { return options_.plan; }
  const std::string& submission_id() const { return options_.submission_id; }
  const std::string& resumes_app_id() const { return options_.resumes_app_id; }
  const std::string& address() const { return address_; }
  // Empty until it has registered.
  const std::string& app_id() const { return app_id_; }
  bool is_registered() const { return is_registered_; }
  bool is_ending() const { return is_ending_; }
  // Asked for, and not lost.
  const std::map<int64_t, Worker>& workers() const { return workers_; }
  // How many it wants.
  int count() const { return count_; }

 private:
  void Exit(const proto::ProcessExit& exit);
  void ExitWith(int code, const std::string& reason);
  void Begin();
  void Connect();
  void OnMessage(const proto::ToApplication& message);
  void OnRegistered(const proto::ApplicationRegistered& registered);
  void OnClosed(const absl::Status& status);
  void SendRequest(int64_t worker_id, const Worker& worker);
  void SendRelease(int64_t worker_id);
  void SendMoved();
  bool Follows(const Application& known) const;
  void Expect(const proto::ApplicationRegistered& registered);
  void ScheduleHeartbeat(int64_t interval_micros);
  Connection::Handlers Accept(const Connection::Ref& connection);
  void OnHello(const Connection::Ref& connection, const proto::WorkerRef& hello);
  void OnDisconnected(int64_t worker_id, const Connection::Ref& connection);
  void Add(int workers);
  void Launch();
  void Release(int64_t worker_id);
  void OnWorkerLost(int64_t worker_id);
  void OnRoom(const std::vector<int>& cores);
  void ChangeSize();
  void Stop(int code);
  void Unregister(int code);

  Site& site_;
  const Options options_;
  Process process_;
  const std::string address_;  // On which its workers find it.
  Endpoint endpoint_;
  Connection::Ref connection_;
  std::string app_id_;
  int64_t epoch_ = 0;
  bool has_left_workers_ = false;  // By the driver before.
  bool is_registered_ = false;
  bool is_ending_ = false;
  bool is_unregistering_ = false;
  bool was_told_to_end_ = false;
  int exit_code_ = 0;
  TimerId heartbeat_timer_ = kNoTimer;
  std::map<int64_t, Worker> workers_;
  std::vector<int> free_cores_;  // The largest last.
  int cores_otherwise_ = 1;      // Of workers that there is no room for.
  int64_t last_worker_id_ = 0;
  int count_ = 0;
  int changes_ = 0;
  int failed_starts_ = 0;  // In a row.
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_APPLICATION_H_
