#include "executor/task/remote_reads.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/concurrent/one_shot.h"
#include "common/env/peer_status.h"

namespace millrace::internal {

absl::StatusOr<std::vector<Buffer>> RemoteReads::Fetch(int64_t worker_id,
                                                       proto::PeerRequest request) {
  // Shared with the call, which may end after this has given up.
  const auto answer = std::make_shared<OneShot<absl::StatusOr<proto::PeerReply>>>();
  peers_.Call(worker_id, std::move(request),
              [answer](absl::StatusOr<proto::PeerReply> reply) { answer->Set(std::move(reply)); });
  absl::StatusOr<proto::PeerReply>* const reply = answer->WaitFor(timeout_);
  if (reply == nullptr) {
    return absl::UnavailableError(absl::StrCat("worker ", worker_id, " has not answered for ",
                                               timeout_.count() / 1000, " s"));
  }
  RETURN_IF_ERROR(StatusOfPeer(*reply, worker_id));
  std::vector<Buffer> buffers;
  buffers.reserve(static_cast<size_t>((*reply)->buffers_size()));
  for (std::string& bytes : *(*reply)->mutable_buffers()) buffers.emplace_back(std::move(bytes));
  return buffers;
}

}  // namespace millrace::internal
