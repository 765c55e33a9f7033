// Where worker processes run.
#ifndef MILLRACE_EXECUTOR_DAEMON_WORKER_HOST_H_
#define MILLRACE_EXECUTOR_DAEMON_WORKER_HOST_H_

#include <functional>
#include <string>

#include "proto/driver.pb.h"

namespace millrace {

// Threads: the daemon core's event loop, on which the callbacks come too.
class WorkerHost {
 public:
  virtual ~WorkerHost() = default;

  // Fetches what it needs, starts it, and says how it ended, also when it could not be started.
  virtual void Start(const proto::LaunchWorker& launch,
                     std::function<void(proto::ProcessExit)> on_ended) = 0;
  // Where it finds its driver from now on. Unknown workers are fine.
  virtual void SetDriver(const std::string& app_id, int64_t worker_id,
                         const std::string& driver_address) = 0;
  // SIGTERM, and SIGKILL when that does not end it. Unknown workers are fine.
  virtual void RequestEnd(const std::string& app_id, int64_t worker_id) = 0;
  // Its workers have ended: what they left goes, but for their logs.
  virtual void Forget(const std::string& app_id) = 0;
};

}  // namespace millrace

#endif  // MILLRACE_EXECUTOR_DAEMON_WORKER_HOST_H_
