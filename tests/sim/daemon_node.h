// A node of the cluster: its executor daemon, and the worker processes of this.
#ifndef MILLRACE_TESTS_SIM_DAEMON_NODE_H_
#define MILLRACE_TESTS_SIM_DAEMON_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "executor/daemon/executor_daemon.h"
#include "tests/sim/daemon_connection.h"
#include "tests/sim/daemon_worker.h"

namespace millrace::sim {

// Each process of the daemon is the product's ExecutorDaemon on a simulated Env.
//
// Threads: whoever has the turn.
class DaemonNode {
 public:
  struct Options {
    std::string name;
    int cores = 1;
    int64_t memory_mb = 1024;
    // Workers do not end by themselves when their driver is gone: the daemons must do it.
    bool has_clinging_workers = false;
  };

  // The site outlives it.
  DaemonNode(Site& site, Options options);
  ~DaemonNode();

  // What the daemon before has left ends first.
  void Start();
  // Its workers go with it, or not all of them.
  void Kill();
  // Workers that are started end at once.
  void SetFailing(bool is_failing) { is_failing_ = is_failing; }

  NodeId machine() const { return machine_; }
  const Options& options() const { return options_; }
  // Null: there is none.
  Process* process();
  // Null: there is none.
  const ExecutorDaemon* daemon() const;
  // Whose processes live, those of daemons before too.
  std::vector<DaemonWorker*> Alive() const;
  // What its daemon has neither ended nor told to end.
  int CoresInUse() const;
  int64_t MemoryMbInUse() const;

 private:
  class Incarnation;

  Site& site_;
  const Options options_;
  const NodeId machine_;
  bool is_failing_ = false;
  std::set<std::string> programs_;  // That are in its cache.
  std::vector<std::unique_ptr<DaemonWorker>> workers_;
  std::vector<std::unique_ptr<Incarnation>> incarnations_;  // The last one may live.
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_NODE_H_
