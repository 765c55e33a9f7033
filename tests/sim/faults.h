// What goes wrong in a simulated cluster.
#ifndef MILLRACE_TESTS_SIM_FAULTS_H_
#define MILLRACE_TESTS_SIM_FAULTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/sim_runtime.h"

namespace millrace::sim {

enum class Fault : uint8_t {
  kCrash,            // A worker process is gone.
  kCrashTogether,    // Two workers are, the second while what the first one took is being mended.
  kBreakConnection,  // Between a worker and the driver.
  kBreakPeers,       // Between two workers: the answers under way are lost.
  kLoseAnswer,       // Of a worker to another one, which had done what it was asked for.
  kPartition,        // One way or both, between two processes, for a while.
  kCutOff,           // A worker is out of reach of all others, for good.
  kSlowNetwork,
  kSlowProcess,
  kOverload,     // All processes are slower than their input comes, for a while.
  kClockJump,    // Of the driver's wall clock.
  kFullDisk,     // What is written does not fit, for a while.
  kFailingDisk,  // Some of what is written, synced or renamed fails, for a while.
  kSlowDisk,
  kFailingTasks,  // On one worker at a time, for a while: what succeeds elsewhere fails there.
};

// Makes faults of the given kinds at times that the seed decides.
//
// Threads: the program's; the faults are events.
class Faults {
 public:
  // Both outlive the faults; another driver may take the runtime's place.
  Faults(Cluster& cluster, const std::shared_ptr<SimRuntime>& runtime, std::vector<Fault> kinds);
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // One each `interval_micros`, more or less.
  void Begin(int64_t interval_micros);
  // None is made until Resume; what lasts goes on.
  void Pause() { is_paused_ = true; }
  void Resume() { is_paused_ = false; }
  // None comes any more, and what lasts is over.
  void End();
  // What the driver sends to its workers comes late from here on, each at its time, and so may what
  // they send.
  void CutOffDriver();
  // For what others do on purpose.
  void Log(const std::string& text);

  // Workers that crashed or were cut off for so long that they may have been given up.
  int lost_worker_count() const { return lost_worker_count_; }
  bool has_failed_tasks() const { return has_failed_tasks_; }
  bool has_failed_files() const { return has_failed_files_; }
  // When something last began to go wrong, or to go right again.
  int64_t changed_micros() const { return changed_micros_; }
  // Each with its time.
  const std::vector<std::string>& log() const { return log_; }

 private:
  void Next();
  void Make(Fault fault);
  // One of those that live; 0: there is none.
  int64_t PickWorker();
  NodeId PickNode();
  void Crash();
  void Block(NodeId from, NodeId to);
  void CutOff();
  void SlowDown();
  void Overload();
  void SetAllSlowness(int64_t factor);
  void FailTasks();
  void SpoilDisk(Fault fault);

  Cluster& cluster_;
  const std::shared_ptr<SimRuntime>& runtime_;
  const NodeId node_;
  const std::vector<Fault> kinds_;
  int64_t interval_micros_ = 0;
  bool is_paused_ = false;
  int64_t changed_micros_ = 0;
  int lost_worker_count_ = 0;
  bool is_failing_tasks_ = false;
  bool has_failed_tasks_ = false;
  bool has_failed_files_ = false;
  std::vector<std::pair<NodeId, NodeId>> blocked_;
  std::vector<std::string> log_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_FAULTS_H_
