// Tells listeners what happens, in order, without holding up what happens.
#ifndef MILLRACE_DRIVER_EVENT_LISTENER_BUS_H_
#define MILLRACE_DRIVER_EVENT_LISTENER_BUS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/env/env.h"
#include "driver/event/streaming_listener.h"

namespace millrace::internal {

// Every listener has a queue of its own; job threads deliver it, one event at a time. So a listener
// that is slow, throws or hangs is late itself, and nobody else is: no batch, no other listener.
//
//   over `queue_max` waiting events   its oldest are dropped, counted, logged once in a while, and
//                                     told to it (StreamingListener::OnEventsDropped)
//   it throws                         logged once in a while; it goes on to be called
//   it hangs                          holds one of `deliveries_max` job threads
//   events wait at Stop               they are delivered for `stop_micros_max`, then dropped
//
// Lifetime: shared with the deliveries under way.
// Threads: the driver core's event loop; listeners are called on job threads.
// Invariant: at most one delivery a listener is under way, so events never overtake one another.
class ListenerBus : public std::enable_shared_from_this<ListenerBus> {
 public:
  using Event = std::function<void(StreamingListener&)>;

  struct Options {
    size_t queue_max = 10'000;
    // At once. The job threads that are left run the batches, whatever listeners do.
    int deliveries_max = 4;
    int64_t stop_micros_max = 10'000'000;
  };

  explicit ListenerBus(Env& env) : ListenerBus(env, Options()) {}
  ListenerBus(Env& env, const Options& options) : env_(env), options_(options) {}
  ListenerBus(const ListenerBus&) = delete;
  ListenerBus& operator=(const ListenerBus&) = delete;

  // Hears of what is posted from here on. `name` is for the log.
  void Add(std::shared_ptr<StreamingListener> listener, std::string name = "",
           ListensTo to = ListensTo::kAll);
  // Where nobody listens, events need not be made.
  bool has_listeners() const { return listens_to_all_; }
  void Post(Event event) { PostTo(ListensTo::kAll, std::move(event)); }
  // Something failed or ended: every listener hears of it.
  void PostTrouble(Event event) { PostTo(ListensTo::kTrouble, std::move(event)); }
  // Later events are not delivered. `done` runs when those posted before have been, when the time
  // for that is over, or at once.
  void Stop(Closure done);

  // Of all listeners.
  int64_t dropped_count() const { return dropped_count_; }

 private:
  // Something that happens again and again, and is logged now and then.
  struct Trouble {
    int64_t count = 0;  // Since the last line.
    int64_t logged_micros = 0;
  };
  struct Channel {
    std::shared_ptr<StreamingListener> listener;
    std::string name;
    ListensTo listens_to = ListensTo::kAll;
    std::deque<std::shared_ptr<const Event>> queue;
    int64_t untold_drops = 0;  // Since the last delivery.
    bool is_ready = false;     // Stands in `ready_`.
    bool is_delivering = false;
    Trouble drops;
    Trouble throws;
  };
  struct Delivery;

  // Events of a kind: those of trouble are everybody's.
  void PostTo(ListensTo kind, Event event);
  void DropOldest(Channel& channel);
  void MakeReady(const std::shared_ptr<Channel>& channel);
  void DeliverNext();
  void Deliver(const std::shared_ptr<Channel>& channel);
  void OnDelivered(const std::shared_ptr<Channel>& channel, const Delivery& delivery);
  bool IsDue(Trouble& trouble);
  void GiveUp();
  void FinishWhenDone();

  Env& env_;
  const Options options_;
  std::vector<std::shared_ptr<Channel>> channels_;
  bool listens_to_all_ = false;                 // Somebody.
  std::deque<std::shared_ptr<Channel>> ready_;  // With events, and no delivery under way.
  int deliveries_ = 0;                          // Under way.
  // Deliveries under way see it: they end with the event that they are at.
  const std::shared_ptr<std::atomic<bool>> gives_up_ = std::make_shared<std::atomic<bool>>(false);
  bool is_stopped_ = false;
  Closure when_stopped_;
  TimerId stop_timer_ = kNoTimer;
  int64_t dropped_count_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_EVENT_LISTENER_BUS_H_
