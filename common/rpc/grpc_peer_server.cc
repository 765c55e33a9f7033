#include "common/rpc/grpc_peer_server.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/config/master_url.h"
#include "common/rpc/rpc_limits.h"
#include "common/rpc/rpc_security.h"
#include "common/rpc/send_queue.h"
#include "proto/peer.grpc.pb.h"

namespace millrace {

namespace {

// Replies that wait for a peer to take them: with more, no request of it is read.
constexpr size_t kReplyBytesMax = size_t{64} << 20;
constexpr size_t kReplyCountMax = 10'000;

}  // namespace

class GrpcPeerServer::Service final : public proto::WorkerPeer::CallbackService {
 public:
  Service(std::shared_ptr<const RpcSecurity> security, const PeerName& name, Handler handler)
      : security_(std::move(security)), name_(name.ToString()), handler_(std::move(handler)) {}

  absl::Status Listen(const std::string& host) {
    grpc::ServerBuilder builder;
    internal::LimitServer(builder);
    builder.RegisterService(this);
    builder.AddListeningPort(HostPort{host, 0}.ToString(), security_->server_credentials(), &port_);
    server_ = builder.BuildAndStart();
    if (server_ != nullptr && port_ != 0) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("cannot listen on ", host, " for other workers"));
  }

  int port() const { return port_; }

  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }

  grpc::ServerBidiReactor<proto::PeerRequest, proto::PeerReply>* Exchange(
      grpc::CallbackServerContext* context) override {
    const grpc::Status admitted = security_->Admit(*context);
    if (!admitted.ok()) return new Refused(admitted);
    if (!IsForThis(*context)) {
      return new Refused({grpc::StatusCode::UNAVAILABLE, "another worker answers there: " + name_});
    }
    return new Connection(handler_);
  }

 private:
  using Reactor = grpc::ServerBidiReactor<proto::PeerRequest, proto::PeerReply>;

  struct Refused final : Reactor {
    explicit Refused(const grpc::Status& status) { Finish(status); }
    void OnDone() override { delete this; }
  };

  // Lives until gRPC is done with it; nobody else refers to it.
  class Connection final : public Reactor {
   public:
    explicit Connection(const Handler& handler) : handler_(handler) { StartRead(&incoming_); }

    // One request at a time: the next one is read when this one has been dealt with and replies do
    // not pile up, so a peer that asks too fast is held up by its connection.
    void OnReadDone(bool ok) override {
      if (!ok) return End();
      proto::PeerRequest request = std::move(incoming_);
      incoming_.Clear();
      const int64_t request_id = request.request_id();
      handler_(std::move(request), [this, request_id](proto::PeerReply reply) {
        reply.set_request_id(request_id);
        Send(std::move(reply));
      });
      const absl::MutexLock lock(&mutex_);
      is_reading_paused_ = true;
      ReadOn();
    }

    void OnWriteDone(bool ok) override {
      const absl::MutexLock lock(&mutex_);
      if (!ok || has_ended_) return;
      if (const proto::PeerReply* const next = outgoing_.Pop()) StartWrite(next);
      ReadOn();
    }

    void OnCancel() override { End(); }
    void OnDone() override { delete this; }

   private:
    void ReadOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      if (has_ended_ || !is_reading_paused_ || outgoing_.bytes() > kReplyBytesMax ||
          outgoing_.count() > kReplyCountMax) {
        return;
      }
      is_reading_paused_ = false;
      StartRead(&incoming_);
    }

    void Send(proto::PeerReply reply) {
      if (const size_t bytes = reply.ByteSizeLong(); bytes > internal::kMessageBytesMax) {
        const int64_t request_id = reply.request_id();
        reply.Clear();
        reply.set_request_id(request_id);
        reply.set_error_code(static_cast<int32_t>(absl::StatusCode::kResourceExhausted));
        reply.set_error_message(absl::StrCat("what was asked for has ", bytes >> 20, " MiB, and ",
                                             internal::kMessageBytesMax >> 20,
                                             " MiB can be sent: use more partitions"));
      }
      const absl::MutexLock lock(&mutex_);
      if (has_ended_) return;
      if (const proto::PeerReply* const first = outgoing_.Push(std::move(reply))) {
        StartWrite(first);
      }
    }

    void End() {
      {
        const absl::MutexLock lock(&mutex_);
        if (std::exchange(has_ended_, true)) return;
      }
      Finish(grpc::Status::OK);
    }

    const Handler& handler_;
    proto::PeerRequest incoming_;

    absl::Mutex mutex_;
    internal::SendQueue<proto::PeerReply> outgoing_ ABSL_GUARDED_BY(mutex_);
    bool is_reading_paused_ ABSL_GUARDED_BY(mutex_) = false;
    bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
  };

  bool IsForThis(const grpc::CallbackServerContext& context) const {
    const auto found = context.client_metadata().find(PeerName::kMetadataKey);
    return found != context.client_metadata().end() &&
           std::string_view(found->second.data(), found->second.size()) == name_;
  }

  const std::shared_ptr<const RpcSecurity> security_;
  const std::string name_;
  const Handler handler_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

GrpcPeerServer::GrpcPeerServer(std::shared_ptr<const RpcSecurity> security, const PeerName& name,
                               Handler handler)
    : service_(std::make_unique<Service>(std::move(security), name, std::move(handler))) {}

GrpcPeerServer::~GrpcPeerServer() { Stop(); }

absl::Status GrpcPeerServer::Listen(const std::string& host) { return service_->Listen(host); }

int GrpcPeerServer::port() const { return service_->port(); }

void GrpcPeerServer::Stop() { service_->Stop(); }

}  // namespace millrace
