// What a peer's answer says of the request.
#ifndef MILLRACE_COMMON_ENV_PEER_STATUS_H_
#define MILLRACE_COMMON_ENV_PEER_STATUS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/peer.pb.h"

namespace millrace {

// OK: it was carried out. Otherwise why not, in the words of the worker, which is named.
inline absl::Status StatusOfPeer(const absl::StatusOr<proto::PeerReply>& reply, int64_t worker_id) {
  if (!reply.ok()) return reply.status();
  if (reply->error_code() == 0) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(reply->error_code()),
                      absl::StrCat("worker ", worker_id, ": ", reply->error_message()));
}

}  // namespace millrace

#endif  // MILLRACE_COMMON_ENV_PEER_STATUS_H_
