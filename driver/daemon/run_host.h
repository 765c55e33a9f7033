// Where drivers run in cluster mode.
#ifndef MILLRACE_DRIVER_DAEMON_RUN_HOST_H_
#define MILLRACE_DRIVER_DAEMON_RUN_HOST_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "proto/daemon_state.pb.h"

namespace millrace {

// One attempt of a submission: a process that goes on when the daemon does not.
struct RunId {
  std::string submission_id;
  int attempt = 1;
};

// Threads: the daemon core's event loop.
class RunHost {
 public:
  virtual ~RunHost() = default;

  // Starts the program with `files` (name, path of what it is) in its working directory. OK: it
  // runs, or Poll says why not.
  virtual absl::Status Start(const RunId& run, const proto::RunRequest& request,
                             const std::vector<std::pair<std::string, std::string>>& files) = 0;
  // How it ended; nothing while it runs. Also of what another process of the daemon has started.
  virtual std::optional<proto::ProcessExit> Poll(const RunId& run) = 0;
  // SIGTERM, and SIGKILL when that does not end it or when it is asked again. False: it could not
  // be asked yet.
  virtual bool RequestEnd(const RunId& run) = 0;
  // Deletes what is kept of a submission, its logs too.
  virtual void Forget(const std::string& submission_id) = 0;
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_RUN_HOST_H_
