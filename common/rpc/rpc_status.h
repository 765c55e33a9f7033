// Errors that cross a connection: the codes of both kinds are the same numbers.
#ifndef MILLRACE_COMMON_RPC_RPC_STATUS_H_
#define MILLRACE_COMMON_RPC_RPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace millrace {

// A message is cut to what fits into the headers of a connection.
grpc::Status ToGrpcStatus(const absl::Status& status);

absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace millrace

#endif  // MILLRACE_COMMON_RPC_RPC_STATUS_H_
