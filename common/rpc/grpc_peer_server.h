// Where a worker answers other workers.
#ifndef MILLRACE_COMMON_RPC_GRPC_PEER_SERVER_H_
#define MILLRACE_COMMON_RPC_GRPC_PEER_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "proto/peer.pb.h"

namespace millrace {

class RpcSecurity;

// Who a call is for. The port of a worker that has ended may be another one's soon, of another
// application even, and that one must not answer.
struct PeerName {
  static constexpr char kMetadataKey[] = "millrace-peer-name";

  std::string application_id;
  int64_t worker_id = 0;

  std::string ToString() const { return application_id + "/" + std::to_string(worker_id); }
};

// Threads: any; the handler is called on gRPC's, one request of a peer at a time.
class GrpcPeerServer {
 public:
  // Carries the request out, calls `reply` once before it returns, and may then do what is left to
  // do. It may wait for the disk, but not for another peer.
  using Reply = std::function<void(proto::PeerReply)>;
  using Handler = std::function<void(proto::PeerRequest, const Reply& reply)>;

  // `name` is this worker's; calls for others are refused.
  GrpcPeerServer(std::shared_ptr<const RpcSecurity> security, const PeerName& name,
                 Handler handler);
  ~GrpcPeerServer();  // Stops.

  // On any port of the host.
  absl::Status Listen(const std::string& host);
  int port() const;

  // The handler is not called any more. More calls do nothing more.
  void Stop();

 private:
  class Service;
  const std::unique_ptr<Service> service_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_RPC_GRPC_PEER_SERVER_H_
