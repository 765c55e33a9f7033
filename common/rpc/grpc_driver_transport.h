// Where the workers of an application call in: the driver's end of their conversation.
#ifndef MILLRACE_COMMON_RPC_GRPC_DRIVER_TRANSPORT_H_
#define MILLRACE_COMMON_RPC_GRPC_DRIVER_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/env/env.h"
#include "proto/worker.pb.h"

namespace millrace {

class MetricsRegistry;
class RpcSecurity;

// A gRPC server for one application. A worker is connected from its hello until its stream ends,
// for whatever reason; its messages arrive in their order.
//
// Threads: SendToWorker and DisconnectWorker on the Env's event loop, where the owner is called
// too; the others on any thread but that one, Stop after the Env has stopped.
class GrpcDriverTransport final : public DriverTransport {
 public:
  struct Options {
    std::string listen_host = "127.0.0.1";
    int port = 0;  // 0: any.
    std::string application_id;
    int64_t driver_epoch = 1;   // A worker that has heard a later driver is refused.
    std::string binary_digest;  // Of this process; a worker with another one is refused.
    std::shared_ptr<const RpcSecurity> security;
    MetricsRegistry* metrics = nullptr;  // May be null; counts who is refused.
  };

  // Called on the event loop.
  class Owner {
   public:
    virtual ~Owner() = default;
    // What a worker is told that may not join.
    virtual absl::Status MayJoin(int64_t worker_id) = 0;
    // The first one is its hello.
    virtual void OnMessage(proto::ToDriver message) = 0;
    // It was connected and is not any more; it cannot come back under the same id.
    virtual void OnDisconnected(int64_t worker_id, const std::string& reason) = 0;
  };

  explicit GrpcDriverTransport(Env& env);
  ~GrpcDriverTransport() override;  // Stops.

  // Both are ready to be called from here on. The owner and the Env outlive Stop.
  absl::Status Listen(const Options& options, Owner& owner);
  int port() const;  // While it listens.

  // A message to a worker that is not connected is lost.
  void SendToWorker(int64_t worker_id, proto::ToWorker message) override;
  // OnDisconnected is not called for it.
  void DisconnectWorker(int64_t worker_id, const absl::Status& reason) override;

  // Ends all connections and waits for the server's end. More calls do nothing more.
  void Stop();

 private:
  class Connection;
  class Service;
  struct Shared;

  const std::shared_ptr<Shared> shared_;
  std::unique_ptr<Service> service_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_RPC_GRPC_DRIVER_TRANSPORT_H_
