#include "common/rpc/grpc_peer_transport.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/concurrent/one_shot.h"
#include "common/rpc/rpc_limits.h"
#include "common/rpc/rpc_security.h"
#include "common/rpc/send_queue.h"
#include "proto/peer.grpc.pb.h"

namespace millrace {

class GrpcPeerTransport::Stream final
    : public grpc::ClientBidiReactor<proto::PeerRequest, proto::PeerReply>,
      public std::enable_shared_from_this<Stream> {
 public:
  Stream(int64_t worker_id, std::string address)
      : peer_(absl::StrCat("worker ", worker_id, " at ", address)), address_(std::move(address)) {}

  const std::string& address() const { return address_; }

  void Begin(const RpcSecurity& security) {
    grpc::ChannelArguments arguments;
    internal::LimitChannel(arguments);
    channel_ = grpc::CreateCustomChannel(address_, security.channel_credentials(), arguments);
    self_ = shared_from_this();
    security.Sign(context_);
    const auto stub = proto::WorkerPeer::NewStub(channel_);
    stub->async()->Exchange(&context_, this);
    AddHold();  // For writes, which other threads start; given back when reading has ended.
    StartRead(&incoming_);
    StartCall();
  }

  void Call(proto::PeerRequest request, Done done) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const absl::MutexLock lock(&mutex_);
      if (!has_ended_) {
        request.set_request_id(++last_request_id_);
        waiting_.push_back({last_request_id_, std::move(done)});
        if (const proto::PeerRequest* const first = outgoing_.Push(std::move(request))) {
          StartWrite(first);
        }
        return;
      }
    }
    done(Lost("its connection has ended"));
  }

  bool has_ended() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return has_ended_;
  }

  void Cancel() { context_.TryCancel(); }
  void AwaitDone() { done_.Wait(); }

  void OnReadDone(bool ok) override {
    Done done;
    {
      const absl::MutexLock lock(&mutex_);
      // Answers come in the order of the requests; one that does not breaks the connection off.
      const bool is_answer = ok && !has_ended_ && !waiting_.empty() &&
                             waiting_.front().request_id == incoming_.request_id();
      if (!is_answer) {
        if (std::exchange(has_ended_, true)) return;
        if (ok) context_.TryCancel();
      } else {
        done = std::move(waiting_.front().done);
        waiting_.pop_front();
      }
    }
    if (done == nullptr) return RemoveHold();
    proto::PeerReply reply = std::move(incoming_);
    incoming_.Clear();
    StartRead(&incoming_);
    done(std::move(reply));
  }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    if (!ok || has_ended_) return;
    if (const proto::PeerRequest* const next = outgoing_.Pop()) StartWrite(next);
  }

  void OnDone(const grpc::Status& status) override {
    std::deque<Waiting> failed;
    {
      const absl::MutexLock lock(&mutex_);
      has_ended_ = true;
      failed = std::exchange(waiting_, {});
    }
    const absl::Status reason =
        Lost(status.ok() ? std::string("it ended the connection") : status.error_message());
    for (Waiting& call : failed) call.done(reason);
    const std::shared_ptr<Stream> last = std::move(self_);
    done_.Set(true);
  }

 private:
  struct Waiting {
    int64_t request_id;
    Done done;
  };

  absl::Status Lost(const std::string& reason) const {
    return absl::UnavailableError(absl::StrCat(peer_, " did not answer: ", reason));
  }

  const std::string peer_;
  const std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  std::shared_ptr<Stream> self_;  // Until gRPC is done with it.
  proto::PeerReply incoming_;     // Of the read under way.
  OneShot<bool> done_;

  mutable absl::Mutex mutex_;
  internal::SendQueue<proto::PeerRequest> outgoing_ ABSL_GUARDED_BY(mutex_);
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);  // For their answers, in order.
  int64_t last_request_id_ ABSL_GUARDED_BY(mutex_) = 0;
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
};

GrpcPeerTransport::GrpcPeerTransport(std::shared_ptr<const RpcSecurity> security)
    : security_(std::move(security)) {}

GrpcPeerTransport::~GrpcPeerTransport() { Stop(); }

void GrpcPeerTransport::AddPeer(int64_t worker_id, std::string address) {
  std::shared_ptr<Stream> outdated;
  {
    const absl::MutexLock lock(&mutex_);
    const auto stream = streams_.find(worker_id);
    if (stream != streams_.end() && stream->second->address() != address) {
      outdated = std::move(stream->second);
      streams_.erase(stream);
    }
    addresses_[worker_id] = std::move(address);
  }
  if (outdated != nullptr) outdated->Cancel();
}

void GrpcPeerTransport::RemovePeer(int64_t worker_id) {
  std::shared_ptr<Stream> gone;
  {
    const absl::MutexLock lock(&mutex_);
    addresses_.erase(worker_id);
    const auto stream = streams_.find(worker_id);
    if (stream == streams_.end()) return;
    gone = std::move(stream->second);
    streams_.erase(stream);
  }
  gone->Cancel();
}

void GrpcPeerTransport::Call(int64_t worker_id, proto::PeerRequest request, Done done) {
  if (const std::shared_ptr<Stream> stream = StreamTo(worker_id)) {
    return stream->Call(std::move(request), std::move(done));
  }
  done(absl::UnavailableError(absl::StrCat("worker ", worker_id, " is not there any more")));
}

std::shared_ptr<GrpcPeerTransport::Stream> GrpcPeerTransport::StreamTo(int64_t worker_id) {
  const absl::MutexLock lock(&mutex_);
  const auto address = addresses_.find(worker_id);
  if (address == addresses_.end()) return nullptr;
  std::shared_ptr<Stream>& stream = streams_[worker_id];
  if (stream == nullptr || stream->has_ended()) {
    stream = std::make_shared<Stream>(worker_id, address->second);
    stream->Begin(*security_);
  }
  return stream;
}

void GrpcPeerTransport::Stop() {
  absl::flat_hash_map<int64_t, std::shared_ptr<Stream>> streams;
  {
    const absl::MutexLock lock(&mutex_);
    addresses_.clear();
    streams = std::exchange(streams_, {});
  }
  for (const auto& [worker_id, stream] : streams) stream->Cancel();
  for (const auto& [worker_id, stream] : streams) stream->AwaitDone();
}

}  // namespace millrace
