// What the daemons' main() functions have in common.
#ifndef MILLRACE_COMMON_DAEMON_DAEMON_MAIN_H_
#define MILLRACE_COMMON_DAEMON_DAEMON_MAIN_H_

#include <gflags/gflags_declare.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fs/posix_file.h"
#include "common/rpc/rpc_security.h"

DECLARE_string(host);         // To listen on.
DECLARE_string(public_host);  // As others know it.

namespace millrace {

// --auth_secret_file, --tls_cert, --tls_key, --tls_ca, --insecure. The paths are absolute: child
// processes get them too, and have working directories of their own.
RpcSecurityOptions SecurityFlags();

// The name under which others reach this machine.
std::string PublicHost();

// "host:port" of this machine, as others reach it.
std::string PublicAddress(int port);

// Held until the process ends: two daemons on one directory would undo each other's work.
// FailedPrecondition: another `program` uses it.
absl::StatusOr<internal::Descriptor> LockDirectory(const std::string& directory,
                                                   const std::string& program);

// The line by which whoever started the daemon knows that it serves, and where.
void PrintReady(const std::string& program, int grpc_port, int http_port);

// Ends the process, with 0 or with what is wrong on standard error and 1. At once: destructors
// would wait for calls under way.
[[noreturn]] void EndDaemon(const std::string& program, const absl::Status& status);

// Takes the flags, blocks the stop signals and calls `serve`, which returns only with an error. The
// exit code: 2 for a command line that is wrong.
int RunDaemon(int argc, char** argv, const std::string& program, const std::string& usage,
              absl::FunctionRef<absl::Status()> serve);

}  // namespace millrace

#endif  // MILLRACE_COMMON_DAEMON_DAEMON_MAIN_H_
