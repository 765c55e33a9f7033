// A worker process, as the daemons and its driver see it.
#ifndef MILLRACE_TESTS_SIM_DAEMON_WORKER_H_
#define MILLRACE_TESTS_SIM_DAEMON_WORKER_H_

#include <cstdint>
#include <functional>
#include <string>

#include "proto/driver.pb.h"
#include "tests/sim/daemon_connection.h"

namespace millrace::sim {

// It looks for its driver and stays with it.
//
// Threads: whoever has the turn.
class DaemonWorker {
 public:
  using OnExit = std::function<void(const proto::ProcessExit& exit)>;

  // Clinging: it does not end by itself when its driver is gone, as one that is stuck.
  DaemonWorker(Site& site, NodeId machine, const proto::LaunchWorker& launch, bool is_clinging,
               OnExit on_exit);

  // It finds its driver there from now on.
  void SetDriver(const std::string& address) { driver_address_ = address; }
  // SIGTERM; again: SIGKILL.
  void RequestEnd();
  void Kill(int signal, const std::string& reason);

  Process& process() { return process_; }
  bool is_alive() const { return process_.is_alive(); }
  bool is_end_requested() const { return is_end_requested_; }
  const proto::WorkerRef& ref() const { return ref_; }
  const std::string& driver_address() const { return driver_address_; }

 private:
  void Exit(const proto::ProcessExit& exit);
  void ExitWith(int code, const std::string& reason);
  void Connect();
  void OnClosed(const absl::Status& status);

  Site& site_;
  const proto::WorkerRef ref_;
  std::string driver_address_;
  const bool is_clinging_;
  const OnExit on_exit_;
  Process process_;
  bool is_end_requested_ = false;
  int64_t lost_micros_ = 0;  // When it was last connected.
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_WORKER_H_
