// A worker's calls to other workers.
#ifndef MILLRACE_COMMON_RPC_GRPC_PEER_TRANSPORT_H_
#define MILLRACE_COMMON_RPC_GRPC_PEER_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/env/peer_transport.h"

namespace millrace {

class RpcSecurity;

// One stream to each peer that was ever called, made at the first call, and anew after it broke.
//
// Threads: any; Stop and the destructor on none of gRPC's, and while nobody is in a call.
class GrpcPeerTransport final : public PeerConnections {
 public:
  // Its peers are workers of the same application.
  GrpcPeerTransport(std::shared_ptr<const RpcSecurity> security, std::string application_id);
  ~GrpcPeerTransport() override;  // Stops.

  void AddPeer(int64_t worker_id, std::string address) override ABSL_LOCKS_EXCLUDED(mutex_);
  void RemovePeer(int64_t worker_id) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Call(int64_t worker_id, proto::PeerRequest request, Done done) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Put(int64_t worker_id, proto::PeerRequest request, std::vector<Buffer> bytes,
           Done done) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls under way fail, later ones too. Waits for their ends.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Stream;

  // The worker's stream, if there is one, is cancelled.
  void Retire(int64_t worker_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null: the peer is not known.
  std::shared_ptr<Stream> StreamTo(int64_t worker_id) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<const RpcSecurity> security_;
  const std::string application_id_;

  absl::Mutex mutex_;
  absl::flat_hash_map<int64_t, std::string> addresses_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<int64_t, std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Stream>> retired_ ABSL_GUARDED_BY(mutex_);  // Until they have ended.
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_RPC_GRPC_PEER_TRANSPORT_H_
