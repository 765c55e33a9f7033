#include "executor/daemon/grpc_driver_link.h"

#include <utility>

namespace millrace {

void GrpcDriverLink::Open(Callbacks callbacks) {
  session_ = Session::Make();
  security_.Sign(session_->context());
  const auto shared = std::make_shared<Callbacks>(std::move(callbacks));
  session_->Begin(
      {.on_message =
           [this, shared](proto::ToExecutor message) {
             env_.Post([shared, message = std::move(message)] { shared->on_message(message); });
           },
       .on_closed =
           [this, shared](absl::Status status, std::shared_ptr<Session> session) {
             env_.Post([this, shared, status = std::move(status), session = std::move(session)] {
               session_ = nullptr;
               shared->on_closed(status);
             });
           }},
      [this](grpc::ClientContext* context, Session* session) {
        stub_->async()->Connect(context, session);
      });
}

void GrpcDriverLink::Send(proto::FromExecutor message) {
  if (session_ != nullptr) session_->Send(std::move(message));
}

}  // namespace millrace
