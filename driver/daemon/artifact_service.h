// Artifacts over gRPC: in, and out.
#ifndef MILLRACE_DRIVER_DAEMON_ARTIFACT_SERVICE_H_
#define MILLRACE_DRIVER_DAEMON_ARTIFACT_SERVICE_H_

#include "common/artifact/artifact_store.h"
#include "common/fs/file_system.h"
#include "common/rpc/rpc_security.h"
#include "proto/artifact.grpc.pb.h"

namespace millrace {

// On gRPC's own threads, which may wait for the disk: the core knows nothing of it.
class ArtifactServiceShell : public proto::ArtifactService::Service {
 public:
  ArtifactServiceShell(FileSystem& fs, ArtifactStore& artifacts, const RpcSecurity& security)
      : fs_(fs), artifacts_(artifacts), security_(security) {}

  grpc::Status FindMissing(grpc::ServerContext* context, const proto::FindMissingRequest* request,
                           proto::FindMissingReply* reply) override;
  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<proto::UploadChunk>* reader,
                      proto::UploadReply* reply) override;
  grpc::Status Fetch(grpc::ServerContext* context, const proto::FetchRequest* request,
                     grpc::ServerWriter<proto::FetchChunk>* writer) override;

 private:
  FileSystem& fs_;
  ArtifactStore& artifacts_;
  const RpcSecurity& security_;
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_ARTIFACT_SERVICE_H_
