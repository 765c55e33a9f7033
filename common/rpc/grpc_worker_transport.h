// The worker's end of its conversation with the driver.
#ifndef MILLRACE_COMMON_RPC_GRPC_WORKER_TRANSPORT_H_
#define MILLRACE_COMMON_RPC_GRPC_WORKER_TRANSPORT_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/env/env.h"
#include "proto/worker.pb.h"

namespace millrace {

class RpcSecurity;

// One stream at a time. Messages of the driver arrive in their order.
//
// Threads: SendToDriver on the Env's event loop, where the owner is called too; the others on any
// thread but that one.
class GrpcWorkerTransport final : public WorkerTransport {
 public:
  // Called on the event loop.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnMessage(proto::ToWorker message) = 0;
    // The stream has ended. Unavailable: the driver was lost; other codes: it has refused or ended
    // the connection, and says why.
    virtual void OnDisconnected(const absl::Status& reason) = 0;
  };

  // All outlive the transport; the Env stops before it goes.
  GrpcWorkerTransport(Env& env, std::shared_ptr<const RpcSecurity> security, Owner& owner);
  ~GrpcWorkerTransport() override;

  // Unavailable: nobody listens there within `timeout`, or `is_wanted` has said no, which is asked
  // meanwhile. What is sent from here on goes to this stream; what the one before had not sent is
  // lost.
  absl::Status Connect(const std::string& driver_address, std::chrono::milliseconds timeout,
                       absl::FunctionRef<bool()> is_wanted);

  // Lost without a connection.
  void SendToDriver(proto::ToDriver message) override;

  // Waits until what was sent has left and the stream has ended, at most for `timeout`.
  void Close(std::chrono::milliseconds timeout);

 private:
  class Stream;

  std::shared_ptr<Stream> stream() const ABSL_LOCKS_EXCLUDED(mutex_);

  Env& env_;
  const std::shared_ptr<const RpcSecurity> security_;
  Owner& owner_;

  mutable absl::Mutex mutex_;
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);  // Null before the first.
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_RPC_GRPC_WORKER_TRANSPORT_H_
