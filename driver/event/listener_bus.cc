#include "driver/event/listener_bus.h"

#include <exception>
#include <utility>

#include "glog/logging.h"

namespace millrace::internal {
namespace {

void Deliver(const ListenerBus::Event& event, StreamingListener& listener) {
  try {
    event(listener);
  } catch (const std::exception& error) {
    LOG(ERROR) << "a streaming listener threw: " << error.what();
  } catch (...) {
    LOG(ERROR) << "a streaming listener threw something that is no std::exception";
  }
}

}  // namespace

void ListenerBus::Add(std::shared_ptr<StreamingListener> listener) {
  auto listeners = *listeners_;
  listeners.push_back(std::move(listener));
  listeners_ =
      std::make_shared<const std::vector<std::shared_ptr<StreamingListener>>>(std::move(listeners));
}

void ListenerBus::Post(Event event) {
  if (is_stopped_ || listeners_->empty()) return;
  if (queue_.size() >= queue_max_) {
    queue_.pop_front();
    if (dropped_count_++ == 0) {
      LOG(WARNING) << "listeners are slower than events: over " << queue_max_
                   << " events wait, so the oldest are dropped";
    }
  }
  queue_.push_back(std::move(event));
  if (!is_delivering_) DeliverNext();
}

void ListenerBus::Stop(Closure done) {
  is_stopped_ = true;
  when_stopped_ = std::move(done);
  if (!is_delivering_) Finish();
}

// All that waits goes to a job thread at once: with short batches a thread hop for each event would
// cost more than the event.
void ListenerBus::DeliverNext() {
  if (queue_.empty()) {
    is_delivering_ = false;
    if (is_stopped_) Finish();
    return;
  }
  is_delivering_ = true;
  env_.RunJob(
      [events = std::exchange(queue_, {}), listeners = listeners_] {
        for (const Event& event : events) {
          for (const auto& listener : *listeners) Deliver(event, *listener);
        }
      },
      [self = shared_from_this()] { self->DeliverNext(); });
}

void ListenerBus::Finish() {
  if (when_stopped_) std::exchange(when_stopped_, nullptr)();
}

}  // namespace millrace::internal
