// Files to the driver daemon's store, and from it.
#ifndef MILLRACE_COMMON_ARTIFACT_ARTIFACT_TRANSFER_H_
#define MILLRACE_COMMON_ARTIFACT_ARTIFACT_TRANSFER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/artifact/artifact_store.h"
#include "common/fs/file_system.h"
#include "common/rpc/rpc_security.h"
#include "proto/application.pb.h"

namespace grpc {
class Channel;
}

namespace millrace {

// No piece takes longer than this: a connection over which none comes is given up.
inline constexpr std::chrono::minutes kArtifactTimeout{10};

struct ArtifactFile {
  std::string path;
  std::string sha256;
  int64_t size_bytes = 0;
};

// Reads the file once.
absl::StatusOr<ArtifactFile> DescribeArtifact(FileSystem& fs, const std::string& path);

// The program and, of a list with commas, the files that go into its working directory; `program`
// is told their digests and the files' names. InvalidArgument: two files have one name.
absl::StatusOr<std::vector<ArtifactFile>> DescribeProgram(FileSystem& fs, const std::string& path,
                                                          const std::string& files,
                                                          proto::Program& program);

// Sends what the store lacks of these. `on_progress` hears how much of how much has been sent.
// Blocks. Errors name the file.
absl::Status UploadArtifacts(
    FileSystem& fs, const std::shared_ptr<grpc::Channel>& channel, const RpcSecurity& security,
    const std::vector<ArtifactFile>& files,
    const std::function<void(int64_t sent_bytes, int64_t bytes)>& on_progress);

// Puts a file of the driver daemon's store into `store`, unless it is there. Its path. Blocks.
absl::StatusOr<std::string> FetchArtifact(const std::shared_ptr<grpc::Channel>& channel,
                                          const RpcSecurity& security, const std::string& sha256,
                                          ArtifactStore& store);

}  // namespace millrace

#endif  // MILLRACE_COMMON_ARTIFACT_ARTIFACT_TRANSFER_H_
