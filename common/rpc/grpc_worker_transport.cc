#include "common/rpc/grpc_worker_transport.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/concurrent/one_shot.h"
#include "common/rpc/rpc_limits.h"
#include "common/rpc/rpc_security.h"
#include "common/rpc/rpc_status.h"
#include "common/rpc/send_queue.h"
#include "proto/worker.grpc.pb.h"

namespace millrace {
namespace {

// Between two looks whether a connection is still wanted.
constexpr std::chrono::milliseconds kLookPause{100};

}  // namespace

// Goes after AwaitDone, never on a thread of gRPC's: the last channel of a process takes those
// threads down with it.
class GrpcWorkerTransport::Stream final
    : public grpc::ClientBidiReactor<proto::ToDriver, proto::ToWorker> {
 public:
  Stream(Env& env, Owner& owner, std::shared_ptr<grpc::Channel> channel)
      : env_(env), owner_(owner), channel_(std::move(channel)) {}

  void Begin(const RpcSecurity& security) {
    security.Sign(context_);
    const auto stub = proto::WorkerSession::NewStub(channel_);
    stub->async()->Connect(&context_, this);
    AddHold();  // For writes, which other threads start; given back when reading has ended.
    StartRead(&incoming_);
    StartCall();
  }

  void Send(proto::ToDriver message) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const absl::MutexLock lock(&mutex_);
      if (has_ended_ || is_closing_) return;
      if (const proto::ToDriver* const first = outgoing_.Push(std::move(message))) {
        StartWrite(first);
      }
      const bool is_full = outgoing_.count() > internal::kSendQueueCountMax ||
                           outgoing_.bytes() > internal::kSendQueueBytesMax;
      if (!is_full) return;
    }
    context_.TryCancel();
  }

  void Close(std::chrono::milliseconds timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const absl::MutexLock lock(&mutex_);
      if (!has_ended_ && !std::exchange(is_closing_, true) && outgoing_.count() == 0) {
        StartWritesDone();
      }
    }
    if (done_.WaitFor(timeout) == nullptr) context_.TryCancel();
    AwaitDone();  // A cancelled call ends at once.
  }
  void AwaitDone() { done_.Wait(); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        const absl::MutexLock lock(&mutex_);
        has_ended_ = true;
      }
      RemoveHold();
      return;
    }
    env_.PostAndRun([&owner = owner_, message = std::move(incoming_)]() mutable {
      owner.OnMessage(std::move(message));
    });
    // The driver bounds what it has under way by slots, so this reads on.
    incoming_.Clear();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    if (!ok || has_ended_) return;
    if (const proto::ToDriver* const next = outgoing_.Pop()) {
      StartWrite(next);
    } else if (is_closing_) {
      StartWritesDone();
    }
  }

  void OnDone(const grpc::Status& status) override {
    env_.PostAndRun([&owner = owner_, reason = ReasonOf(status)] { owner.OnDisconnected(reason); });
    done_.Set(true);  // The last of all: it may go now.
  }

 private:
  static absl::Status ReasonOf(const grpc::Status& status) {
    if (status.ok() || status.error_code() == grpc::StatusCode::CANCELLED) {
      return absl::UnavailableError("the driver ended the connection");
    }
    return FromGrpcStatus(status);
  }

  Env& env_;
  Owner& owner_;
  const std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  proto::ToWorker incoming_;  // Of the read under way.
  OneShot<bool> done_;

  absl::Mutex mutex_;
  internal::SendQueue<proto::ToDriver> outgoing_ ABSL_GUARDED_BY(mutex_);
  bool is_closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
};

GrpcWorkerTransport::GrpcWorkerTransport(Env& env, std::shared_ptr<const RpcSecurity> security,
                                         Owner& owner)
    : env_(env), security_(std::move(security)), owner_(owner) {}

GrpcWorkerTransport::~GrpcWorkerTransport() { Close(std::chrono::milliseconds(0)); }

absl::Status GrpcWorkerTransport::Connect(const std::string& driver_address,
                                          std::chrono::milliseconds timeout,
                                          absl::FunctionRef<bool()> is_wanted) {
  using Clock = std::chrono::system_clock;
  grpc::ChannelArguments arguments;
  internal::LimitChannel(arguments);
  const std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel(driver_address, security_->channel_credentials(), arguments);
  const Clock::time_point deadline = Clock::now() + timeout;
  while (!channel->WaitForConnected(std::min(deadline, Clock::now() + kLookPause))) {
    if (Clock::now() >= deadline || !is_wanted()) {
      return absl::UnavailableError(absl::StrCat("nobody answers at ", driver_address));
    }
  }
  const auto next = std::make_shared<Stream>(env_, owner_, channel);
  next->Begin(*security_);
  std::shared_ptr<Stream> ended;
  {
    const absl::MutexLock lock(&mutex_);
    ended = std::exchange(stream_, next);
  }
  if (ended != nullptr) ended->Close(std::chrono::milliseconds(0));
  return absl::OkStatus();
}

std::shared_ptr<GrpcWorkerTransport::Stream> GrpcWorkerTransport::stream() const {
  const absl::MutexLock lock(&mutex_);
  return stream_;
}

void GrpcWorkerTransport::SendToDriver(proto::ToDriver message) {
  if (const auto current = stream()) current->Send(std::move(message));
}

void GrpcWorkerTransport::Close(std::chrono::milliseconds timeout) {
  if (const auto current = stream()) current->Close(timeout);
}

}  // namespace millrace
