#include "common/artifact/artifact_transfer.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/crypto/sha256.h"
#include "common/fs/path.h"
#include "common/rpc/rpc_status.h"
#include "proto/artifact.grpc.pb.h"

namespace millrace {

namespace {

constexpr size_t kChunkBytes = size_t{512} << 10;

void Prepare(const RpcSecurity& security, grpc::ClientContext& context) {
  security.Sign(context);
  context.set_deadline(std::chrono::system_clock::now() + kArtifactTimeout);
}

absl::StatusOr<std::set<std::string>> FindMissing(proto::ArtifactService::Stub& stub,
                                                  const RpcSecurity& security,
                                                  const std::vector<ArtifactFile>& files) {
  grpc::ClientContext context;
  Prepare(security, context);
  proto::FindMissingRequest request;
  for (const ArtifactFile& file : files) request.add_sha256(file.sha256);
  proto::FindMissingReply reply;
  RETURN_IF_ERROR(FromGrpcStatus(stub.FindMissing(&context, request, &reply)));
  return std::set<std::string>(reply.sha256().begin(), reply.sha256().end());
}

absl::Status Upload(FileSystem& fs, proto::ArtifactService::Stub& stub, const RpcSecurity& security,
                    const ArtifactFile& file, const std::function<void(int64_t)>& on_sent) {
  ASSIGN_OR_RETURN(const auto opened, fs.OpenForRead(file.path));
  grpc::ClientContext context;
  Prepare(security, context);
  proto::UploadReply reply;
  const auto writer = stub.Upload(&context, &reply);
  proto::UploadChunk chunk;
  chunk.set_sha256(file.sha256);
  chunk.set_size_bytes(file.size_bytes);
  bool is_wanted = true;
  uint64_t offset = 0;
  do {  // An empty file is a message too.
    std::string& bytes = *chunk.mutable_data();
    bytes.resize(std::min<uint64_t>(kChunkBytes, opened->size_bytes() - offset));
    ASSIGN_OR_RETURN(const size_t size, opened->ReadAt(offset, bytes.data(), bytes.size()));
    if (size == 0 && offset > 0) break;
    bytes.resize(size);
    offset += size;
    // False: the server has refused it, and the status says why.
    is_wanted = writer->Write(chunk);
    on_sent(static_cast<int64_t>(size));
    chunk.Clear();
  } while (is_wanted && offset < opened->size_bytes());
  writer->WritesDone();
  return FromGrpcStatus(writer->Finish());
}

absl::Status Receive(grpc::ClientReader<proto::FetchChunk>& reader, const std::string& sha256,
                     ArtifactStore& store) {
  proto::FetchChunk chunk;
  if (!reader.Read(&chunk)) return FromGrpcStatus(reader.Finish());
  ASSIGN_OR_RETURN(const auto upload, store.BeginUpload(sha256, chunk.size_bytes()));
  do {
    RETURN_IF_ERROR(upload->Append(chunk.data()));
  } while (reader.Read(&chunk));
  RETURN_IF_ERROR(FromGrpcStatus(reader.Finish()));
  return upload->Commit();
}

}  // namespace

absl::StatusOr<ArtifactFile> DescribeArtifact(FileSystem& fs, const std::string& path) {
  ASSIGN_OR_RETURN(const FileInfo info, fs.Stat(path));
  if (info.is_dir) return absl::FailedPreconditionError("'" + path + "' is a directory");
  ASSIGN_OR_RETURN(std::string sha256, Sha256HexOfFile(fs, path));
  return ArtifactFile{.path = path, .sha256 = std::move(sha256), .size_bytes = info.size_bytes};
}

absl::StatusOr<std::vector<ArtifactFile>> DescribeProgram(FileSystem& fs, const std::string& path,
                                                          const std::string& files,
                                                          proto::Program& program) {
  std::vector<ArtifactFile> described;
  ASSIGN_OR_RETURN(described.emplace_back(), DescribeArtifact(fs, path));
  program.set_sha256(described.front().sha256);
  std::set<std::string> names;
  for (const absl::string_view part : absl::StrSplit(files, ',', absl::SkipEmpty())) {
    ASSIGN_OR_RETURN(ArtifactFile file, DescribeArtifact(fs, std::string(part)));
    proto::ProgramFile& named = *program.add_files();
    named.set_name(std::string(BaseName(file.path)));
    named.set_sha256(file.sha256);
    if (!names.insert(named.name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("two files have the name '", named.name(), "'"));
    }
    described.push_back(std::move(file));
  }
  return described;
}

absl::Status UploadArtifacts(
    FileSystem& fs, const std::shared_ptr<grpc::Channel>& channel, const RpcSecurity& security,
    const std::vector<ArtifactFile>& files,
    const std::function<void(int64_t sent_bytes, int64_t bytes)>& on_progress) {
  const auto stub = proto::ArtifactService::NewStub(channel);
  ASSIGN_OR_RETURN(std::set<std::string> missing, FindMissing(*stub, security, files));
  int64_t bytes = 0;
  for (const ArtifactFile& file : files) {
    if (missing.contains(file.sha256)) bytes += file.size_bytes;
  }
  int64_t sent_bytes = 0;
  for (const ArtifactFile& file : files) {
    if (missing.erase(file.sha256) == 0) continue;
    const absl::Status status = Upload(fs, *stub, security, file, [&](int64_t size) {
      sent_bytes += size;
      on_progress(sent_bytes, bytes);
    });
    if (!status.ok()) return AnnotateStatus(status, "sending '" + file.path + "'");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> FetchArtifact(const std::shared_ptr<grpc::Channel>& channel,
                                          const RpcSecurity& security, const std::string& sha256,
                                          ArtifactStore& store) {
  if (absl::StatusOr<std::string> path = store.PathOf(sha256); !absl::IsNotFound(path.status())) {
    return path;
  }
  const auto stub = proto::ArtifactService::NewStub(channel);
  grpc::ClientContext context;
  Prepare(security, context);
  proto::FetchRequest request;
  request.set_sha256(sha256);
  const auto reader = stub->Fetch(&context, request);
  absl::Status status = Receive(*reader, sha256, store);
  // A reader may not go before its call has ended.
  if (!status.ok()) {
    context.TryCancel();
    proto::FetchChunk rest;
    while (reader->Read(&rest)) {
    }
    return AnnotateStatus(status, "fetching the file with the SHA-256 " + sha256);
  }
  return store.PathOf(sha256);
}

}  // namespace millrace
