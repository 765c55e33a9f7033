// One run with daemons: a cluster, its users and faults, all of them decided by a seed.
#ifndef MILLRACE_TESTS_SIM_DAEMON_RUN_H_
#define MILLRACE_TESTS_SIM_DAEMON_RUN_H_

#include <string>
#include <vector>

#include "tests/sim/run_seed.h"

namespace millrace::sim {

std::vector<std::string> DaemonScenarioNames();

// Of the options those of programs and inputs mean nothing here.
// Threads: a process runs one at a time.
RunResult RunDaemonSeed(const RunOptions& options);

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_RUN_H_
