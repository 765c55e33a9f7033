// One application's connection to the driver daemon, over gRPC.
#ifndef MILLRACE_CLIENT_CLUSTER_DAEMON_CONNECTION_H_
#define MILLRACE_CLIENT_CLUSTER_DAEMON_CONNECTION_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>

#include "common/concurrent/event_loop.h"
#include "common/rpc/client_session.h"
#include "common/rpc/rpc_security.h"
#include "proto/application.grpc.pb.h"

namespace millrace::internal {

// One call at a time. Threads: the event loop that it is given, on which the callbacks come too.
class DaemonConnection {
 public:
  DaemonConnection(const std::shared_ptr<grpc::Channel>& channel,
                   std::shared_ptr<const RpcSecurity> security)
      : security_(std::move(security)), stub_(proto::ApplicationService::NewStub(channel)) {}

  // When there is none. `loop` outlives the call.
  void Open(EventLoop& loop, const std::function<void(const proto::ToApplication&)>& on_message,
            const std::function<void(const absl::Status&)>& on_closed) {
    session_ = Session::Make();
    security_->Sign(session_->context());
    session_->Begin(
        {.on_message =
             [&loop, on_message](proto::ToApplication message) {
               loop.Post([on_message, message = std::move(message)] { on_message(message); });
             },
         .on_closed =
             [this, &loop, on_closed](absl::Status status, std::shared_ptr<Session> session) {
               loop.Post(
                   [this, on_closed, status = std::move(status), session = std::move(session)] {
                     session_ = nullptr;
                     on_closed(status);
                   });
             }},
        [this](grpc::ClientContext* context, Session* session) {
          stub_->async()->Connect(context, session);
        });
  }

  // Lost when there is no call.
  void Send(proto::FromApplication message) {
    if (session_ != nullptr) session_->Send(std::move(message));
  }

  // What was sent is still taken, and then the call ends.
  void Finish() {
    if (session_ != nullptr) session_->FinishWriting();
  }
  void Close() {
    if (session_ != nullptr) session_->Close();
  }
  bool is_open() const { return session_ != nullptr; }

 private:
  using Session = ClientSession<proto::FromApplication, proto::ToApplication>;

  const std::shared_ptr<const RpcSecurity> security_;
  const std::unique_ptr<proto::ApplicationService::Stub> stub_;
  std::shared_ptr<Session> session_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_DAEMON_CONNECTION_H_
