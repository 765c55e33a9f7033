// Who brings up the worker processes of an application.
#ifndef MILLRACE_CLIENT_CLUSTER_WORKER_LAUNCHER_H_
#define MILLRACE_CLIENT_CLUSTER_WORKER_LAUNCHER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace millrace::internal {

// What every worker of an application is told (worker_process.h has the environment variables).
struct WorkerSpec {
  std::string application_id;
  std::string driver_address;  // host:port of the application's driver core.
  int cores = 1;
  int64_t memory_mb = 1024;
  std::string auth_secret_file;  // Empty: there is none.
};

// Brings up worker processes, one at a time, each under an id of its own, says when one has ended
// and why, and ends them. Whether a worker works is not its business: the worker calls its driver.
//
// Threads: any, but for a launcher's own; no method waits for a process but Stop.
class WorkerLauncher {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // The process of this worker has ended, or could not be started; once for every Launch, unless
    // Stop came first. `reason` is for people: "it was killed by signal 9 (Killed)".
    // On a thread of the launcher's, which must not wait.
    virtual void OnWorkerExited(int64_t worker_id, const std::string& reason) = 0;
    // There is room for so many workers more than run now. As above.
    virtual void OnRoom(int workers) = 0;
  };

  virtual ~WorkerLauncher() = default;

  // Before the first Launch. The listener outlives Stop. An error says why no worker of this spec
  // can ever be started.
  virtual absl::Status Start(const WorkerSpec& spec, Listener& listener) = 0;
  // A new worker. `worker_id` is unique in the application, its earlier workers included.
  virtual void Launch(int64_t worker_id) = 0;
  // Ends the worker's process at once, if it is still there. OnWorkerExited follows.
  virtual void Kill(int64_t worker_id) = 0;
  // Waits for a moment for workers that are about to end by themselves, then ends those that are
  // left, and waits for their ends. Nothing is told any more. More calls do nothing more.
  virtual void Stop() = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_WORKER_LAUNCHER_H_
