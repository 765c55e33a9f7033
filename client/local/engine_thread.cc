#include "client/local/engine_thread.h"

#include <utility>

#include "client/rdd/job_scope.h"

namespace millrace::internal {
namespace {

thread_local bool in_listener = false;

class ListenerScope {
 public:
  ListenerScope() : outer_(std::exchange(in_listener, true)) {}
  ~ListenerScope() { in_listener = outer_; }

 private:
  const bool outer_;
};

class GuardedListener final : public StreamingListener {
 public:
  explicit GuardedListener(std::shared_ptr<StreamingListener> listener)
      : listener_(std::move(listener)) {}

  void OnStreamingStarted(Time time) override {
    Call(&StreamingListener::OnStreamingStarted, time);
  }
  void OnReceiverStarted(const ReceiverInfo& receiver) override {
    Call(&StreamingListener::OnReceiverStarted, receiver);
  }
  void OnReceiverError(const ReceiverInfo& receiver) override {
    Call(&StreamingListener::OnReceiverError, receiver);
  }
  void OnReceiverStopped(const ReceiverInfo& receiver) override {
    Call(&StreamingListener::OnReceiverStopped, receiver);
  }
  void OnBatchSubmitted(const BatchInfo& batch) override {
    Call(&StreamingListener::OnBatchSubmitted, batch);
  }
  void OnBatchStarted(const BatchInfo& batch) override {
    Call(&StreamingListener::OnBatchStarted, batch);
  }
  void OnBatchCompleted(const BatchInfo& batch) override {
    Call(&StreamingListener::OnBatchCompleted, batch);
  }
  void OnOutputOperationStarted(const OutputOperationInfo& operation) override {
    Call(&StreamingListener::OnOutputOperationStarted, operation);
  }
  void OnOutputOperationCompleted(const OutputOperationInfo& operation) override {
    Call(&StreamingListener::OnOutputOperationCompleted, operation);
  }
  void OnEventsDropped(int64_t count) override { Call(&StreamingListener::OnEventsDropped, count); }

 private:
  template <class Event, class Arg>
  void Call(Event event, const Arg& arg) {
    const ListenerScope scope;
    ((*listener_).*event)(arg);
  }

  const std::shared_ptr<StreamingListener> listener_;
};

}  // namespace

bool OnEngineThread() { return in_listener || JobScope::Current() != nullptr; }

std::shared_ptr<StreamingListener> GuardListener(std::shared_ptr<StreamingListener> listener) {
  return std::make_shared<GuardedListener>(std::move(listener));
}

}  // namespace millrace::internal
