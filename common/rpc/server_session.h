// The server's end of a conversation: a call in which both sides send messages for as long as it
// lasts.
#ifndef MILLRACE_COMMON_RPC_SERVER_SESSION_H_
#define MILLRACE_COMMON_RPC_SERVER_SESSION_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace millrace {

// What waits to be sent: a peer that does not read is cut off instead.
inline constexpr size_t kSessionQueueMax = 10'000;

// A call's reactor, which keeps itself alive until gRPC is done with it.
// Threads: Send, ReadOn and Close from any; the callbacks come one at a time, on gRPC's threads,
// and must not block.
template <class In, class Out>
class ServerSession : public grpc::ServerBidiReactor<In, Out> {
 public:
  struct Callbacks {
    // No other one comes before ReadOn: a peer that sends too fast is held up by its connection.
    std::function<void(In)> on_message;
    std::function<void()> on_closed;  // Once, and last.
  };

  // For the service's method to return, after Begin.
  static std::shared_ptr<ServerSession> Make(grpc::CallbackServerContext* context) {
    std::shared_ptr<ServerSession> session(new ServerSession(context));
    session->self_ = session;
    return session;
  }

  // Messages come from here on.
  void Begin(Callbacks callbacks) {
    callbacks_ = std::move(callbacks);
    this->StartRead(&in_);
  }

  // The last message has been dealt with.
  void ReadOn() {
    const absl::MutexLock lock(&mutex_);
    if (is_closing_) return;
    in_.Clear();
    this->StartRead(&in_);
  }

  void Send(Out message) {
    const absl::MutexLock lock(&mutex_);
    if (is_closing_) return;
    if (queue_.size() >= kSessionQueueMax) {
      CloseLocked(
          {grpc::StatusCode::RESOURCE_EXHAUSTED, "this peer does not read what it is sent"});
      // Else what is being written would keep the call until the peer reads. The context is there:
      // the call has not been finished.
      context_->TryCancel();
      return;
    }
    queue_.push_back(std::move(message));
    if (queue_.size() == 1) this->StartWrite(&queue_.front());
  }

  // Ends the call, after what has been sent. More calls do nothing more.
  void Close(const grpc::Status& status) {
    const absl::MutexLock lock(&mutex_);
    CloseLocked(status);
  }

 private:
  explicit ServerSession(grpc::CallbackServerContext* context) : context_(context) {}

  void CloseLocked(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (is_closing_) return;
    is_closing_ = true;
    final_status_ = status;
    if (queue_.empty()) this->Finish(final_status_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {  // The peer has ended the call, or is gone.
      Close(grpc::Status::OK);
      return;
    }
    callbacks_.on_message(std::move(in_));
  }

  // The connection broke, maybe while no message was waited for.
  void OnCancel() override { Close({grpc::StatusCode::CANCELLED, "the connection broke"}); }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    queue_.pop_front();
    if (!ok) queue_.clear();
    if (!queue_.empty()) {
      this->StartWrite(&queue_.front());
    } else if (is_closing_) {
      this->Finish(final_status_);
    }
  }

  void OnDone() override {
    if (callbacks_.on_closed) callbacks_.on_closed();
    // Nothing of this object is used after it.
    const std::shared_ptr<ServerSession> last = std::move(self_);
  }

  grpc::CallbackServerContext* const context_;
  Callbacks callbacks_;
  In in_;
  std::shared_ptr<ServerSession> self_;

  absl::Mutex mutex_;
  std::deque<Out> queue_ ABSL_GUARDED_BY(mutex_);  // The first is being written.
  bool is_closing_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status final_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_RPC_SERVER_SESSION_H_
