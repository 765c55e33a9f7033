#include "common/rpc/grpc_peer_transport.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/channel_arguments.h>

#include <deque>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/concurrent/one_shot.h"
#include "common/rpc/grpc_peer_server.h"
#include "common/rpc/peer_message.h"
#include "common/rpc/rpc_limits.h"
#include "common/rpc/rpc_security.h"
#include "common/rpc/send_queue.h"
#include "proto/peer.pb.h"

namespace millrace {
namespace {

using internal::PeerMessage;

constexpr char kExchangeMethod[] = "/millrace.proto.WorkerPeer/Exchange";

}  // namespace

// Goes after AwaitDone, never on a thread of gRPC's: the last channel of a process takes those
// threads down with it.
class GrpcPeerTransport::Stream final
    : public grpc::ClientBidiReactor<PeerMessage, proto::PeerReply> {
 public:
  Stream(int64_t worker_id, std::string address)
      : peer_(absl::StrCat("worker ", worker_id, " at ", address)), address_(std::move(address)) {}

  const std::string& address() const { return address_; }

  void Begin(const RpcSecurity& security, const PeerName& name) {
    grpc::ChannelArguments arguments;
    internal::LimitChannel(arguments);
    channel_ = grpc::CreateCustomChannel(address_, security.channel_credentials(), arguments);
    security.Sign(context_);
    context_.AddMetadata(PeerName::kMetadataKey, name.ToString());
    grpc::TemplatedGenericStub<PeerMessage, proto::PeerReply> stub(channel_);
    stub.PrepareBidiStreamingCall(&context_, kExchangeMethod, {}, this);
    AddHold();  // For writes, which other threads start; given back when reading has ended.
    StartRead(&incoming_);
    StartCall();
  }

  void Call(PeerMessage message, Done done) ABSL_LOCKS_EXCLUDED(mutex_) {
    const size_t bytes = message.ByteSizeLong();
    if (bytes > internal::kMessageBytesMax) {
      return done(absl::ResourceExhaustedError(
          absl::StrCat("what is sent to ", peer_, " has ", bytes >> 20, " MiB, and ",
                       internal::kMessageBytesMax >> 20, " MiB can be sent: use more partitions")));
    }
    absl::Status reason;
    {
      const absl::MutexLock lock(&mutex_);
      if (outgoing_.count() >= internal::kSendQueueCountMax ||
          outgoing_.bytes() + bytes > internal::kSendQueueBytesMax) {
        reason = absl::UnavailableError(absl::StrCat(peer_, " does not take what it is sent"));
      } else if (end_reason_.ok()) {
        message.request.set_request_id(++last_request_id_);
        waiting_.push_back({last_request_id_, std::move(done)});
        if (has_ended_) return;  // OnDone will have the reason.
        if (const PeerMessage* const first = outgoing_.Push(std::move(message))) {
          StartWrite(first);
        }
        return;
      } else {
        reason = end_reason_;
      }
    }
    done(reason);
  }

  bool has_ended() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return has_ended_;
  }

  void Cancel() { context_.TryCancel(); }
  void AwaitDone() { done_.Wait(); }
  bool is_done() const { return done_.ready(); }

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
    if (const PeerMessage* const next = outgoing_.Pop()) StartWrite(next);
  }

  void OnDone(const grpc::Status& status) override {
    const absl::Status reason = absl::UnavailableError(absl::StrCat(
        peer_,
        " did not answer: ", status.ok() ? "it ended the connection" : status.error_message()));
    std::deque<Waiting> failed;
    {
      const absl::MutexLock lock(&mutex_);
      end_reason_ = reason;
      failed = std::exchange(waiting_, {});
    }
    for (Waiting& call : failed) call.done(reason);
    done_.Set(true);  // The last of all: it may go now.
  }

 private:
  struct Waiting {
    int64_t request_id;
    Done done;
  };

  const std::string peer_;
  const std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  proto::PeerReply incoming_;  // Of the read under way.
  OneShot<bool> done_;

  mutable absl::Mutex mutex_;
  internal::SendQueue<PeerMessage> outgoing_ ABSL_GUARDED_BY(mutex_);
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);  // For their answers, in order.
  int64_t last_request_id_ ABSL_GUARDED_BY(mutex_) = 0;
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;   // Nothing is read or written any more.
  absl::Status end_reason_ ABSL_GUARDED_BY(mutex_);  // OK: gRPC is not done with it.
};

GrpcPeerTransport::GrpcPeerTransport(std::shared_ptr<const RpcSecurity> security,
                                     std::string application_id)
    : security_(std::move(security)), application_id_(std::move(application_id)) {}

GrpcPeerTransport::~GrpcPeerTransport() { Stop(); }

void GrpcPeerTransport::AddPeer(int64_t worker_id, std::string address) {
  const absl::MutexLock lock(&mutex_);
  const auto stream = streams_.find(worker_id);
  if (stream != streams_.end() && stream->second->address() != address) Retire(worker_id);
  addresses_[worker_id] = std::move(address);
}

void GrpcPeerTransport::RemovePeer(int64_t worker_id) {
  const absl::MutexLock lock(&mutex_);
  addresses_.erase(worker_id);
  Retire(worker_id);
}

// Its calls end on gRPC's threads, which take the stream's lock and none of ours.
void GrpcPeerTransport::Retire(int64_t worker_id) {
  std::erase_if(retired_, [](const auto& stream) { return stream->is_done(); });
  const auto stream = streams_.extract(worker_id);
  if (stream.empty()) return;
  stream.mapped()->Cancel();
  retired_.push_back(std::move(stream.mapped()));
}

void GrpcPeerTransport::Call(int64_t worker_id, proto::PeerRequest request, Done done) {
  Put(worker_id, std::move(request), {}, std::move(done));
}

void GrpcPeerTransport::Put(int64_t worker_id, proto::PeerRequest request,
                            std::vector<Buffer> bytes, Done done) {
  if (const std::shared_ptr<Stream> stream = StreamTo(worker_id)) {
    return stream->Call({std::move(request), std::move(bytes)}, std::move(done));
  }
  done(absl::UnavailableError(absl::StrCat("worker ", worker_id, " is not there any more")));
}

std::shared_ptr<GrpcPeerTransport::Stream> GrpcPeerTransport::StreamTo(int64_t worker_id) {
  const absl::MutexLock lock(&mutex_);
  const auto address = addresses_.find(worker_id);
  if (address == addresses_.end()) return nullptr;
  const auto known = streams_.find(worker_id);
  if (known != streams_.end()) {
    if (!known->second->has_ended()) return known->second;
    Retire(worker_id);
  }
  auto stream = std::make_shared<Stream>(worker_id, address->second);
  stream->Begin(*security_, {application_id_, worker_id});
  streams_.emplace(worker_id, stream);
  return stream;
}

void GrpcPeerTransport::Stop() {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    const absl::MutexLock lock(&mutex_);
    addresses_.clear();
    while (!streams_.empty()) Retire(streams_.begin()->first);
    streams = std::exchange(retired_, {});
  }
  for (const std::shared_ptr<Stream>& stream : streams) stream->AwaitDone();
}

}  // namespace millrace
