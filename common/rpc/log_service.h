// What a process has written, for those who are not on its machine.
#ifndef MILLRACE_COMMON_RPC_LOG_SERVICE_H_
#define MILLRACE_COMMON_RPC_LOG_SERVICE_H_

#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/fs/file_system.h"
#include "common/rpc/rpc_security.h"
#include "proto/submit.grpc.pb.h"

namespace millrace {

// Sends the files stdout and stderr of a directory, and those that were rotated away before them.
// On gRPC's own threads, which may wait for the disk.
class LogServiceShell : public proto::LogService::Service {
 public:
  // `dir_of` knows the directory of an id, and that there is one. All outlive the server.
  LogServiceShell(FileSystem& fs, const RpcSecurity& security,
                  std::function<absl::StatusOr<std::string>(const std::string& id)> dir_of)
      : fs_(fs), security_(security), dir_of_(std::move(dir_of)) {}

  grpc::Status Read(grpc::ServerContext* context, const proto::ReadLogsRequest* request,
                    grpc::ServerWriter<proto::LogChunk>* writer) override;

 private:
  FileSystem& fs_;
  const RpcSecurity& security_;
  const std::function<absl::StatusOr<std::string>(const std::string& id)> dir_of_;
};

// An id that came from a peer is one of ours and no path in disguise: letters, digits, '-', '_',
// '.' in the middle.
bool IsPlainId(const std::string& id);

}  // namespace millrace

#endif  // MILLRACE_COMMON_RPC_LOG_SERVICE_H_
