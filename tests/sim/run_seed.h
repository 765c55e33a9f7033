// One simulated run: a program, a cluster and faults, all of them decided by a seed.
#ifndef MILLRACE_TESTS_SIM_RUN_SEED_H_
#define MILLRACE_TESTS_SIM_RUN_SEED_H_

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::sim {

struct RunOptions {
  uint64_t seed = 0;
  // Empty: as the seed says.
  std::string scenario = {};
  std::string program = {};
  std::string inputs = {};
};

struct RunResult {
  std::vector<std::string> failures;  // None: all is as it must be.
  std::string summary;                // What ran: scenario, program, size.
  std::vector<std::string> log;       // What went wrong on purpose.
  uint64_t digest = 0;
  int64_t event_count = 0;
};

// Names of what may be asked for.
std::vector<std::string> ScenarioNames();
std::vector<std::string> ProgramNames();
std::vector<std::string> InputNames();

// Threads: a process runs one at a time.
RunResult RunSeed(const RunOptions& options);

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_RUN_SEED_H_
