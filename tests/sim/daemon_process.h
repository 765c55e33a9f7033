// A process on a machine, beside others.
#ifndef MILLRACE_TESTS_SIM_DAEMON_PROCESS_H_
#define MILLRACE_TESTS_SIM_DAEMON_PROCESS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tests/sim/daemon_site.h"
#include "tests/sim/process_files.h"
#include "tests/sim/sim_env.h"

namespace millrace::sim {

// When it ends, be it in the midst of what it does, nothing of it gets out any more; its
// connections break. The object stays: code of the process may still be running.
//
// Threads: whoever has the turn.
class Process {
 public:
  // The site outlives it.
  Process(Site& site, NodeId machine);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Site& site() { return site_; }
  NodeId machine() const { return machine_; }
  SimEnv& env() { return env_; }
  ProcessFiles& files() { return files_; }
  bool is_alive() const { return !has_ended_; }

  void End();
  // It ends before the step behind so many others, or before that change of files.
  void EndAfterSteps(int64_t steps, std::function<void()> on_end);
  void EndAfterChanges(int64_t changes, std::function<void()> on_end);
  void StayAlive();
  // Before whatever of it others may see. False: it has ended.
  bool BeforeStep();

  // Told when it ends.
  void Add(const std::shared_ptr<Connection>& connection);

 private:
  static constexpr int64_t kEndless = -1;

  Site& site_;
  const NodeId machine_;
  ProcessFiles files_;
  SimEnv env_;
  bool has_ended_ = false;
  int64_t steps_left_ = kEndless;
  std::function<void()> on_end_;
  std::vector<std::weak_ptr<Connection>> connections_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_PROCESS_H_
