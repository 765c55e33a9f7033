// Drivers in the cluster: processes of the driver daemon's machine, which outlive it.
#ifndef MILLRACE_TESTS_SIM_DAEMON_RUNS_H_
#define MILLRACE_TESTS_SIM_DAEMON_RUNS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "driver/daemon/run_host.h"
#include "tests/sim/daemon_application.h"

namespace millrace::sim {

// What LocalRunHost and the runners do, and what it knows of each attempt.
//
// Threads: whoever has the turn.
class Runs {
 public:
  struct Run {
    Application* application = nullptr;
    int64_t started_micros = 0;
    bool has_ended = false;
    bool is_lost = false;  // The machine was restarted: nobody has written how it ended.
    proto::ProcessExit exit = {};
    int end_requests = 0;
  };
  // Of one submission, by attempt.
  using Attempts = std::map<int, Run>;

  // What the next attempt of a submission does.
  using Plan = std::function<ApplicationPlan(const std::string& program_name, int attempt)>;

  Runs(Site& site, NodeId machine, Plan plan)
      : site_(site), machine_(machine), plan_(std::move(plan)) {}

  NodeId machine() const { return machine_; }

  // As RunHost.
  absl::Status Start(const RunId& id, const proto::RunRequest& request);
  std::optional<proto::ProcessExit> Poll(const RunId& id);
  bool RequestEnd(const RunId& id);
  void Forget(const std::string& submission_id);

  // -- Faults, and what is looked at ------------------------------------------------------------

  // Also of submissions that are forgotten.
  const std::map<std::string, Attempts>& submissions() const { return submissions_; }
  bool IsForgotten(const std::string& submission_id) const {
    return forgotten_.contains(submission_id);
  }
  std::vector<Application*> Alive() const;
  // All end, and nothing is known of how.
  void RestartMachine();

 private:
  void OnExit(const RunId& id, const proto::ProcessExit& exit);

  Site& site_;
  const NodeId machine_;
  const Plan plan_;
  std::map<std::string, Attempts> submissions_;
  std::map<std::string, int64_t> forgotten_;  // When.
  std::vector<std::unique_ptr<Application>> applications_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_RUNS_H_
