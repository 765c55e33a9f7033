#include "common/rpc/rpc_status.h"

#include <string>

namespace millrace {

namespace {

// gRPC takes at most 8 KiB of headers, in which special characters take three bytes each.
constexpr size_t kMessageBytesMax = 2000;

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.raw_code()),
          std::string(status.message().substr(0, kMessageBytesMax))};
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace millrace
