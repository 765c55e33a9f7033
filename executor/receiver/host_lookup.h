// The addresses of a host.
#ifndef MILLRACE_EXECUTOR_RECEIVER_HOST_LOOKUP_H_
#define MILLRACE_EXECUTOR_RECEIVER_HOST_LOOKUP_H_

#include <sys/socket.h>

#include <chrono>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/receiver/socket_address.h"

namespace millrace::internal {

class WakeFlag;

struct HostAddress {
  sockaddr_storage storage;
  socklen_t length = 0;
};

// At least one. Asking a name server can take minutes and cannot be broken off, so that is done by
// a thread that is left to itself once the timeout is over (DeadlineExceeded) or the flag is raised
// (Cancelled).
absl::StatusOr<std::vector<HostAddress>> LookUpHost(const SocketAddress& address,
                                                    const WakeFlag& wake,
                                                    std::chrono::milliseconds timeout);

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_HOST_LOOKUP_H_
