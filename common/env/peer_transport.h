// How workers of one application reach one another.
#ifndef MILLRACE_COMMON_ENV_PEER_TRANSPORT_H_
#define MILLRACE_COMMON_ENV_PEER_TRANSPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/memory/buffer.h"

namespace millrace {

namespace proto {
class PeerReply;
class PeerRequest;
}  // namespace proto

// Threads: any.
class PeerTransport {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<proto::PeerReply>)>;

  virtual ~PeerTransport() = default;

  // `done` is called once, on any thread, maybe before this returns; it must be short. Unavailable:
  // the peer is not known, cannot be reached, or was lost meanwhile: then the request may have been
  // carried out. Requests to one peer arrive in their order. Sets the request's id.
  virtual void Call(int64_t worker_id, proto::PeerRequest request, Done done) = 0;

  // The same for a PutMapOutput or a PutBlock, whose pieces or buffers are `bytes`: behind those
  // that it has, and copied only where the transport cannot send them from where they lie.
  virtual void Put(int64_t worker_id, proto::PeerRequest request, std::vector<Buffer> bytes,
                   Done done);
};

// One that is told who the peers are. Threads: any.
class PeerConnections : public PeerTransport {
 public:
  // `address` is host:port. One that is added again keeps its connection if it is still there.
  virtual void AddPeer(int64_t worker_id, std::string address) = 0;
  // Its connection ends, and the calls on it fail.
  virtual void RemovePeer(int64_t worker_id) = 0;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_ENV_PEER_TRANSPORT_H_
