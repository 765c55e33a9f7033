#include "driver/daemon/file_services.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/rpc_status.h"
#include "driver/daemon/run_dir.h"

namespace millrace {

namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr int kDigestsMax = 10'000;

// Hands the file's bytes on, until `take` says that nobody wants more.
absl::Status ForEachChunk(FileSystem& fs, const std::string& path,
                          const std::function<bool(int64_t size, std::string bytes)>& take) {
  ASSIGN_OR_RETURN(const auto file, fs.OpenForRead(path));
  for (uint64_t offset = 0; offset < file->size_bytes();) {
    std::string bytes(std::min<uint64_t>(kChunkBytes, file->size_bytes() - offset), '\0');
    ASSIGN_OR_RETURN(const size_t size, file->ReadAt(offset, bytes.data(), bytes.size()));
    if (size == 0) break;
    bytes.resize(size);
    offset += size;
    if (!take(static_cast<int64_t>(file->size_bytes()), std::move(bytes))) break;
  }
  return absl::OkStatus();
}

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
  return ToGrpcStatus(ForEachChunk(fs_, *path, [&](int64_t size, std::string bytes) {
    chunk.set_size_bytes(size);
    chunk.set_data(std::move(bytes));
    return writer->Write(chunk);
  }));
}

grpc::Status LogServiceShell::Read(grpc::ServerContext* context,
                                   const proto::ReadLogsRequest* request,
                                   grpc::ServerWriter<proto::LogChunk>* writer) {
  if (grpc::Status status = security_.Admit(*context); !status.ok()) return status;
  const std::string& id = request->submission_id();
  const bool is_name = !id.empty() && id.size() < 100 && id[0] != '.' &&
                       id.find('/') == std::string::npos && id.find('\0') == std::string::npos;
  if (!is_name || !fs_.Stat(host_.SubmissionDir(id)).ok()) {
    return {grpc::StatusCode::NOT_FOUND,
            absl::StrCat("there are no logs of '", id.substr(0, 80),
                         "': millrace-submit --list shows the submissions there are")};
  }
  for (const bool is_stderr : {false, true}) {
    proto::LogChunk chunk;
    chunk.set_is_stderr(is_stderr);
    // The oldest first. One that rotates meanwhile is missed or seen twice, which a log may be.
    for (int age = kRunLogFilesMax - 1; age >= 0; --age) {
      const std::string path =
          absl::StrCat(host_.SubmissionDir(id), is_stderr ? kRunStderrFile : kRunStdoutFile,
                       age == 0 ? "" : absl::StrCat(".", age));
      const absl::Status status = ForEachChunk(fs_, path, [&](int64_t, std::string bytes) {
        chunk.set_data(std::move(bytes));
        return writer->Write(chunk);
      });
      if (!status.ok() && !absl::IsNotFound(status)) return ToGrpcStatus(status);
    }
  }
  return grpc::Status::OK;
}

}  // namespace millrace
