// What came with the command line.
#ifndef MILLRACE_CLIENT_LOCAL_PROGRAM_FLAGS_H_
#define MILLRACE_CLIENT_LOCAL_PROGRAM_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/conf.h"

namespace millrace::internal {

// Takes `--millrace_conf=KEY=VALUE` (also with one dash, also with the value as an argument of its
// own) out of argv, up to an argument `--`. InvalidArgument names the flag that is wrong; argv is
// as it was then.
absl::StatusOr<Conf> TakeConfFlags(int* argc, char** argv);

// Sets the gflags that the program defines to what the arguments say, without taking them out. What
// is no such flag is passed over: it is the program's own. For worker processes, which never get to
// where the program parses its flags.
void SetDefinedFlags(const std::vector<std::string>& arguments);

// What Init took; empty without it. Set before contexts are made.
const Conf& ProgramConf();
void SetProgramConf(Conf conf);

// The arguments with which workers are started: those of this process, and what a worker needs of
// `conf` for its own setup that the program, and not the command line, has set.
std::vector<std::string> WorkerArguments(const Conf& conf);

// argv as the process was started with; empty without Init. The same rule.
const std::vector<std::string>& ProgramArguments();
void SetProgramArguments(std::vector<std::string> arguments);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_PROGRAM_FLAGS_H_
