// What millrace-submit asks of a driver daemon.
#ifndef MILLRACE_CLIENT_SUBMIT_CLUSTER_CLIENT_H_
#define MILLRACE_CLIENT_SUBMIT_CLUSTER_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/artifact/artifact_transfer.h"
#include "common/config/master_url.h"
#include "common/fs/file_system.h"
#include "common/rpc/rpc_security.h"
#include "proto/submit.grpc.pb.h"

namespace millrace {

// Every call waits for an answer, but not for ever. Errors say what to do. One thread.
class ClusterClient {
 public:
  // The first of the daemons that answers. Unavailable: none does.
  static absl::StatusOr<std::unique_ptr<ClusterClient>> Connect(const ClusterMaster& master,
                                                                const RpcSecurityOptions& security);

  absl::Status Upload(FileSystem& fs, const std::vector<ArtifactFile>& files,
                      const std::function<void(int64_t sent_bytes, int64_t bytes)>& on_progress);
  absl::StatusOr<proto::SubmitReply> Submit(const proto::SubmitRequest& request);
  absl::StatusOr<proto::SubmissionStatus> GetStatus(const std::string& submission_id,
                                                    int64_t wait_ms);
  absl::StatusOr<proto::SubmissionStatus> Kill(const std::string& submission_id);
  absl::StatusOr<proto::ListReply> List();
  absl::Status ReadLogs(const std::string& submission_id,
                        const std::function<void(const proto::LogChunk&)>& on_chunk);

 private:
  ClusterClient(std::shared_ptr<grpc::Channel> channel, std::shared_ptr<const RpcSecurity> security,
                std::string address);
  void Prepare(grpc::ClientContext& context, int64_t timeout_ms) const;
  absl::Status Explain(const grpc::Status& status) const;

  const std::shared_ptr<grpc::Channel> channel_;
  const std::shared_ptr<const RpcSecurity> security_;
  const std::string address_;
  const std::unique_ptr<proto::SubmitService::Stub> submit_;
  const std::unique_ptr<proto::LogService::Stub> logs_;
};

}  // namespace millrace

#endif  // MILLRACE_CLIENT_SUBMIT_CLUSTER_CLIENT_H_
