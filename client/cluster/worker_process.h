// A process whose role is worker: what Init does there instead of returning.
#ifndef MILLRACE_CLIENT_CLUSTER_WORKER_PROCESS_H_
#define MILLRACE_CLIENT_CLUSTER_WORKER_PROCESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/rpc_security.h"

namespace millrace::internal {

// What the launcher of the process says, in environment variables.
struct WorkerSettings {
  std::string
      driver_address;  // MILLRACE_DRIVER_ADDRESS, host:port of the application's driver core
  std::string application_id;  // MILLRACE_APP_ID
  int64_t worker_id = 0;       // MILLRACE_WORKER_ID, unique in the application
  int cores = 1;               // MILLRACE_WORKER_CORES
  int64_t memory_mb = 0;       // MILLRACE_WORKER_MEMORY_MB
  std::string host;            // MILLRACE_WORKER_HOST, by which others reach this process
  std::string work_dir;        // MILLRACE_WORK_DIR, the process's own; whoever made it removes it
  // MILLRACE_DRIVER_FILE, optional: has the present driver's address, which may change
  std::string driver_file;
  // MILLRACE_AUTH_SECRET_FILE, MILLRACE_TLS_..., MILLRACE_INSECURE; optional
  RpcSecurityOptions security;
};

// MILLRACE_ROLE is "worker".
bool IsWorkerProcess();

// InvalidArgument names the variable that is missing or wrong.
absl::StatusOr<WorkerSettings> ReadWorkerSettings();

// Serves the application's driver until it says that this is over (exit code 0), it refuses the
// worker, or none has been in reach for 10 s, for 30 s where another one may come (1, and the
// reason on standard error). 2: the
// settings are wrong. Returns the exit code; the process must end then, for user code may still
// run.
int RunWorkerProcess();

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_WORKER_PROCESS_H_
