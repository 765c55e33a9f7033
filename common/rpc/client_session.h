// The caller's end of a conversation: a call in which both sides send messages for as long as it
// lasts.
#ifndef MILLRACE_COMMON_RPC_CLIENT_SESSION_H_
#define MILLRACE_COMMON_RPC_CLIENT_SESSION_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/rpc_status.h"
#include "common/rpc/server_session.h"

namespace millrace {

// A call's reactor, which keeps itself alive until gRPC is done with it.
// Threads: Send and Close from any; the callbacks come one at a time, on gRPC's threads, and must
// not block.
template <class Out, class In>
class ClientSession : public grpc::ClientBidiReactor<Out, In> {
 public:
  struct Callbacks {
    std::function<void(In)> on_message;
    // Once, and last. The session comes along, and must go on another thread: its call holds the
    // channel, and the last channel of a process ends gRPC's threads, which these cannot do.
    std::function<void(absl::Status, std::shared_ptr<ClientSession>)> on_closed;
  };

  static std::shared_ptr<ClientSession> Make() {
    std::shared_ptr<ClientSession> session(new ClientSession);
    session->self_ = session;
    return session;
  }

  // To be signed before the call is made; no deadline: the call lasts.
  grpc::ClientContext& context() { return context_; }

  // `call` is the stub's method: it is handed this reactor. Messages come from here on.
  template <class Call>
  void Begin(Callbacks callbacks, Call call) {
    callbacks_ = std::move(callbacks);
    call(&context_, this);
    this->AddHold();  // For the writes that come from outside its callbacks.
    this->StartRead(&in_);
    this->StartCall();
  }

  // Lost when the call is over, or about to be.
  void Send(Out message) {
    const absl::MutexLock lock(&mutex_);
    if (is_closed_ || is_finishing_) return;
    if (queue_.size() >= kSessionQueueMax) {
      CloseLocked();
      return;
    }
    queue_.push_back(std::move(message));
    if (queue_.size() == 1) this->StartWrite(&queue_.front());
  }

  // Says that nothing more will be sent, when all that was has left; the server then ends the call.
  void FinishWriting() {
    const absl::MutexLock lock(&mutex_);
    if (is_closed_ || is_finishing_) return;
    is_finishing_ = true;
    if (queue_.empty()) this->StartWritesDone();
  }

  // Ends the call at once. More calls do nothing more.
  void Close() {
    const absl::MutexLock lock(&mutex_);
    CloseLocked();
  }

 private:
  ClientSession() = default;

  void CloseLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (is_closed_) return;
    context_.TryCancel();
    EndWritingLocked();
  }

  void EndWritingLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (is_closed_) return;
    is_closed_ = true;
    this->RemoveHold();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {  // The server has ended the call, or is gone: the status will say which.
      const absl::MutexLock lock(&mutex_);
      EndWritingLocked();
      return;
    }
    if (callbacks_.on_message) callbacks_.on_message(std::move(in_));
    in_.Clear();
    this->StartRead(&in_);
  }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    queue_.pop_front();
    if (!ok || is_closed_) return;
    if (!queue_.empty()) {
      this->StartWrite(&queue_.front());
    } else if (is_finishing_) {
      this->StartWritesDone();
    }
  }

  void OnDone(const grpc::Status& status) override {
    // Nothing of this object is used after it.
    const auto on_closed = std::move(callbacks_.on_closed);
    on_closed(FromGrpcStatus(status), std::move(self_));
  }

  grpc::ClientContext context_;
  Callbacks callbacks_;
  In in_;
  std::shared_ptr<ClientSession> self_;

  absl::Mutex mutex_;
  std::deque<Out> queue_ ABSL_GUARDED_BY(mutex_);  // The first is being written.
  bool is_finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_RPC_CLIENT_SESSION_H_
