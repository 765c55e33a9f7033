// Tells listeners what happens, in order, without holding up what happens.
#ifndef MILLRACE_DRIVER_EVENT_LISTENER_BUS_H_
#define MILLRACE_DRIVER_EVENT_LISTENER_BUS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "common/env/env.h"
#include "driver/event/streaming_listener.h"

namespace millrace::internal {

// Events wait in a queue; a job thread delivers them one at a time, each to all listeners in the
// order in which those were added. So a slow listener delays listeners, and a throwing one is
// logged and goes on to be called.
//
// Lifetime: shared with the delivery under way.
// Threads: the driver core's event loop; listeners are called on job threads.
// Invariant: at most one delivery is under way, so events never overtake one another.
class ListenerBus : public std::enable_shared_from_this<ListenerBus> {
 public:
  using Event = std::function<void(StreamingListener&)>;

  // Over `queue_max` events the oldest that waits is dropped and counted: the driver must not grow
  // without bound because a listener hangs.
  explicit ListenerBus(Env& env, size_t queue_max = 10'000) : env_(env), queue_max_(queue_max) {}
  ListenerBus(const ListenerBus&) = delete;
  ListenerBus& operator=(const ListenerBus&) = delete;

  // Hears of everything posted from here on.
  void Add(std::shared_ptr<StreamingListener> listener);
  // Where nobody listens, events need not be made.
  bool has_listeners() const { return !listeners_->empty(); }
  void Post(Event event);
  // Later events are not delivered. `done` runs when those posted before have been, or at once.
  void Stop(Closure done);

  int64_t dropped_count() const { return dropped_count_; }

 private:
  void DeliverNext();
  void Finish();

  Env& env_;
  const size_t queue_max_;
  // Shared with the delivery under way; replaced, never changed.
  std::shared_ptr<const std::vector<std::shared_ptr<StreamingListener>>> listeners_ =
      std::make_shared<const std::vector<std::shared_ptr<StreamingListener>>>();
  std::deque<Event> queue_;
  bool is_delivering_ = false;
  bool is_stopped_ = false;
  Closure when_stopped_;
  int64_t dropped_count_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_EVENT_LISTENER_BUS_H_
