// Files of the driver daemon over gRPC: artifacts in and out, logs out.
#ifndef MILLRACE_DRIVER_DAEMON_FILE_SERVICES_H_
#define MILLRACE_DRIVER_DAEMON_FILE_SERVICES_H_

#include "common/artifact/artifact_store.h"
#include "common/fs/file_system.h"
#include "common/rpc/rpc_security.h"
#include "driver/daemon/local_run_host.h"
#include "proto/artifact.grpc.pb.h"
#include "proto/submit.grpc.pb.h"

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

class LogServiceShell : public proto::LogService::Service {
 public:
  LogServiceShell(FileSystem& fs, const LocalRunHost& host, const RpcSecurity& security)
      : fs_(fs), host_(host), security_(security) {}

  grpc::Status Read(grpc::ServerContext* context, const proto::ReadLogsRequest* request,
                    grpc::ServerWriter<proto::LogChunk>* writer) override;

 private:
  FileSystem& fs_;
  const LocalRunHost& host_;
  const RpcSecurity& security_;
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_FILE_SERVICES_H_
