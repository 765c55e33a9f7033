#include "driver/daemon/artifact_service.h"

#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "common/fs/for_each_chunk.h"
#include "common/rpc/rpc_status.h"

namespace millrace {

namespace {

constexpr int kDigestsMax = 10'000;

absl::Status ReceiveUpload(ArtifactStore& artifacts,
                           grpc::ServerReader<proto::UploadChunk>& reader) {
  proto::UploadChunk chunk;
  if (!reader.Read(&chunk)) return absl::InvalidArgumentError("an upload without a message");
  ASSIGN_OR_RETURN(const auto upload, artifacts.BeginUpload(chunk.sha256(), chunk.size_bytes()));
  do {
    RETURN_IF_ERROR(upload->Append(chunk.data()));
  } while (reader.Read(&chunk));
  return upload->Commit();
}

}  // namespace

grpc::Status ArtifactServiceShell::FindMissing(grpc::ServerContext* context,
                                               const proto::FindMissingRequest* request,
                                               proto::FindMissingReply* reply) {
  if (grpc::Status status = security_.Admit(*context); !status.ok()) return status;
  if (request->sha256_size() > kDigestsMax) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "more files than anybody has"};
  }
  for (const std::string& sha256 : request->sha256()) {
    if (!artifacts_.Has(sha256)) reply->add_sha256(sha256);
  }
  return grpc::Status::OK;
}

grpc::Status ArtifactServiceShell::Upload(grpc::ServerContext* context,
                                          grpc::ServerReader<proto::UploadChunk>* reader,
                                          proto::UploadReply* /*reply*/) {
  if (grpc::Status status = security_.Admit(*context); !status.ok()) return status;
  return ToGrpcStatus(ReceiveUpload(artifacts_, *reader));
}

grpc::Status ArtifactServiceShell::Fetch(grpc::ServerContext* context,
                                         const proto::FetchRequest* request,
                                         grpc::ServerWriter<proto::FetchChunk>* writer) {
  if (grpc::Status status = security_.Admit(*context); !status.ok()) return status;
  const auto path = artifacts_.PathOf(request->sha256());
  if (!path.ok()) return ToGrpcStatus(path.status());
  proto::FetchChunk chunk;
  bool is_empty = true;
  const absl::Status sent = ForEachChunk(fs_, *path, [&](int64_t size, std::string bytes) {
    is_empty = false;
    chunk.set_size_bytes(size);
    chunk.set_data(std::move(bytes));
    return writer->Write(chunk);
  });
  // An empty file is a message too.
  if (sent.ok() && is_empty) writer->Write(chunk);
  return ToGrpcStatus(sent);
}

}  // namespace millrace
