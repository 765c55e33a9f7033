#include "client/submit/cluster_client.h"

#include <grpcpp/create_channel.h>

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/rpc_limits.h"
#include "common/rpc/rpc_status.h"

namespace millrace {

namespace {

constexpr int64_t kTimeoutMs = 20'000;

}  // namespace

ClusterClient::ClusterClient(std::shared_ptr<grpc::Channel> channel,
                             std::shared_ptr<const RpcSecurity> security, std::string address)
    : channel_(std::move(channel)),
      security_(std::move(security)),
      address_(std::move(address)),
      submit_(proto::SubmitService::NewStub(channel_)),
      logs_(proto::LogService::NewStub(channel_)) {}

absl::StatusOr<std::unique_ptr<ClusterClient>> ClusterClient::Connect(
    const ClusterMaster& master, const RpcSecurityOptions& security) {
  ASSIGN_OR_RETURN(const auto loaded, RpcSecurity::Load(security, /*metrics=*/nullptr));
  grpc::ChannelArguments arguments;
  internal::LimitChannel(arguments);
  absl::Status status;
  for (const HostPort& daemon : master.daemons) {
    const std::string address = daemon.ToString();
    std::unique_ptr<ClusterClient> client(new ClusterClient(
        grpc::CreateCustomChannel(address, loaded->channel_credentials(), arguments), loaded,
        address));
    status = client->List().status();
    if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) {
      RETURN_IF_ERROR(status);
      return client;
    }
  }
  return status;
}

void ClusterClient::Prepare(grpc::ClientContext& context, int64_t timeout_ms) const {
  security_->Sign(context);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
}

absl::Status ClusterClient::Explain(const grpc::Status& status) const {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE &&
      status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) {
    return FromGrpcStatus(status);
  }
  return absl::UnavailableError(absl::StrCat("no driver daemon answers at ", address_, " (",
                                             status.error_message(),
                                             "): does millrace-driver run there?"));
}

absl::Status ClusterClient::Upload(
    FileSystem& fs, const std::vector<ArtifactFile>& files,
    const std::function<void(int64_t sent_bytes, int64_t bytes)>& on_progress) {
  return UploadArtifacts(fs, channel_, *security_, files, on_progress);
}

absl::StatusOr<proto::SubmitReply> ClusterClient::Submit(const proto::SubmitRequest& request) {
  grpc::ClientContext context;
  Prepare(context, kTimeoutMs);
  proto::SubmitReply reply;
  RETURN_IF_ERROR(Explain(submit_->Submit(&context, request, &reply)));
  return reply;
}

absl::StatusOr<proto::SubmissionStatus> ClusterClient::GetStatus(const std::string& submission_id,
                                                                 int64_t wait_ms) {
  grpc::ClientContext context;
  Prepare(context, kTimeoutMs + wait_ms);
  proto::StatusRequest request;
  request.set_submission_id(submission_id);
  request.set_wait_ms(wait_ms);
  proto::SubmissionStatus reply;
  RETURN_IF_ERROR(Explain(submit_->GetStatus(&context, request, &reply)));
  return reply;
}

absl::StatusOr<proto::SubmissionStatus> ClusterClient::Kill(const std::string& submission_id) {
  grpc::ClientContext context;
  Prepare(context, kTimeoutMs);
  proto::KillRequest request;
  request.set_submission_id(submission_id);
  proto::SubmissionStatus reply;
  RETURN_IF_ERROR(Explain(submit_->Kill(&context, request, &reply)));
  return reply;
}

absl::StatusOr<proto::ListReply> ClusterClient::List() {
  grpc::ClientContext context;
  Prepare(context, kTimeoutMs);
  proto::ListReply reply;
  RETURN_IF_ERROR(Explain(submit_->List(&context, proto::ListRequest(), &reply)));
  return reply;
}

absl::Status ClusterClient::ReadLogs(const std::string& submission_id,
                                     const std::function<void(const proto::LogChunk&)>& on_chunk) {
  grpc::ClientContext context;
  Prepare(context, /*timeout_ms=*/10 * kTimeoutMs);
  proto::ReadLogsRequest request;
  request.set_id(submission_id);
  const auto reader = logs_->Read(&context, request);
  proto::LogChunk chunk;
  while (reader->Read(&chunk)) on_chunk(chunk);
  return Explain(reader->Finish());
}

}  // namespace millrace
