// The connection to the driver daemon over gRPC.
#ifndef MILLRACE_EXECUTOR_DAEMON_GRPC_DRIVER_LINK_H_
#define MILLRACE_EXECUTOR_DAEMON_GRPC_DRIVER_LINK_H_

#include <grpcpp/channel.h>

#include <memory>

#include "common/env/env.h"
#include "common/rpc/client_session.h"
#include "common/rpc/rpc_security.h"
#include "executor/daemon/driver_link.h"
#include "proto/driver.grpc.pb.h"

namespace millrace {

class GrpcDriverLink : public DriverLink {
 public:
  // `env` and `security` outlive this, and this the calls: Close ends them.
  GrpcDriverLink(Env& env, const std::shared_ptr<grpc::Channel>& channel,
                 const RpcSecurity& security)
      : env_(env), security_(security), stub_(proto::DriverDaemonService::NewStub(channel)) {}

  void Open(Callbacks callbacks) override;
  void Send(proto::FromExecutor message) override;

 private:
  using Session = ClientSession<proto::FromExecutor, proto::ToExecutor>;

  Env& env_;
  const RpcSecurity& security_;
  const std::unique_ptr<proto::DriverDaemonService::Stub> stub_;
  std::shared_ptr<Session> session_;
};

}  // namespace millrace

#endif  // MILLRACE_EXECUTOR_DAEMON_GRPC_DRIVER_LINK_H_
