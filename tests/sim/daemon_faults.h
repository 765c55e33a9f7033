// What goes wrong in a simulated cluster with daemons.
#ifndef MILLRACE_TESTS_SIM_DAEMON_FAULTS_H_
#define MILLRACE_TESTS_SIM_DAEMON_FAULTS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/daemon_check.h"

namespace millrace::sim {

enum class DaemonFault : uint8_t {
  kKillDriverDaemon,        // At any event.
  kKillDriverDaemonInStep,  // In the midst of what it does.
  kRestartMachine,          // Of the driver daemon: the drivers there end too.
  kKillExecutorDaemon,
  kCrashWorker,
  kCrashDriver,
  kFailingLaunches,  // On one node, for a while.
  kBreakConnection,
  kPartition,  // One way or both, between two machines, for a while.
  kSlowNetwork,
  kSlowProcess,
  kPause,      // A daemon or an application stands still for a while.
  kClockJump,  // Of the driver daemon's wall clock.
  kFullDisk,   // Of the driver daemon, for a while.
};

// Makes faults of the given kinds at times that the seed decides, and starts daemons again.
//
// Threads: the run's; the faults are events.
class DaemonFaults {
 public:
  // The parts outlive the faults.
  DaemonFaults(const DaemonParts& parts, std::vector<DaemonFault> kinds);
  ~DaemonFaults();
  DaemonFaults(const DaemonFaults&) = delete;
  DaemonFaults& operator=(const DaemonFaults&) = delete;

  // One each `interval_micros`, more or less.
  void Begin(int64_t interval_micros);
  // None comes any more, what lasts is over, and all daemons run.
  void End();

 private:
  void Next();
  void Make(DaemonFault fault);
  void KillInStep();
  void Partition();
  void FillDisk();
  void Slow(const std::string& name, Process* process);
  // Null: none is there.
  Process* PickProcess(std::string& name);
  NodeId PickMachine();
  DaemonNode& PickNode();
  Application* PickApplication();
  // Daemons that have ended start again, each after a while.
  void WatchDaemons();

  const DaemonParts& parts_;
  Site& site_;
  World& world_;
  const NodeId node_;
  const std::vector<DaemonFault> kinds_;
  int64_t interval_micros_ = 0;
  bool is_host_starting_ = false;
  std::set<size_t> starting_nodes_;
  std::vector<std::pair<NodeId, NodeId>> blocked_;
  std::set<Process*> slow_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_FAULTS_H_
