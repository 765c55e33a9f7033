// The process between the driver daemon and a driver that runs in the cluster.
#ifndef MILLRACE_DRIVER_DAEMON_RUNNER_H_
#define MILLRACE_DRIVER_DAEMON_RUNNER_H_

#include <string>

namespace millrace {

// The first argument with which the daemon's own program becomes a runner.
inline constexpr char kRunnerArgument[] = "--run_attempt";

// Runs what `attempt_dir` (see run_dir.h) asks for to its end: keeps its output in rotating files,
// watches its memory, hands SIGTERM on, and writes down how it ended. It is a process of its own so
// that a driver outlives the daemon and its exit is known to the next one. `lock_fd` is the
// directory's lock, which it holds. The exit code of the process.
int RunAttempt(const std::string& attempt_dir, int lock_fd);

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_RUNNER_H_
