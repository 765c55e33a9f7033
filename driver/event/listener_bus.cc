#include "driver/event/listener_bus.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kLogPeriodMicros = 60 * kMicrosPerSecond;
// Of one hop to a job thread: with short batches a hop for each event would cost more than the
// event. A listener that is slow keeps that many from being dropped, beyond what its queue holds.
constexpr size_t kEventsAtOnceMax = 100;

}  // namespace

// What one hop to a job thread brings a listener, and what became of it.
struct ListenerBus::Delivery {
  std::deque<std::shared_ptr<const Event>> events;
  int64_t untold_drops = 0;
  size_t delivered = 0;
  int64_t throws = 0;
  std::string first_throw;

  // On a job thread.
  void Run(StreamingListener& listener, const std::atomic<bool>& gives_up) {
    if (untold_drops > 0) {
      Call([this](StreamingListener& l) { l.OnEventsDropped(untold_drops); }, listener);
    }
    for (auto& event : events) {
      if (gives_up.load(std::memory_order_relaxed)) return;
      Call(*event, listener);
      event = nullptr;  // What it holds may be the user's.
      ++delivered;
    }
  }

 private:
  void Call(const Event& event, StreamingListener& listener) {
    try {
      event(listener);
    } catch (const std::exception& error) {
      Threw(error.what());
    } catch (...) {
      Threw("something that is no std::exception");
    }
  }
  void Threw(const char* what) {
    if (throws++ == 0) first_throw = what;
  }
};

void ListenerBus::Add(std::shared_ptr<StreamingListener> listener, std::string name, ListensTo to) {
  auto channel = std::make_shared<Channel>();
  channel->listener = std::move(listener);
  channel->name = name.empty() ? absl::StrCat("number ", channels_.size() + 1) : std::move(name);
  channel->listens_to = to;
  listens_to_all_ = listens_to_all_ || to == ListensTo::kAll;
  channels_.push_back(std::move(channel));
}

void ListenerBus::PostTo(ListensTo kind, Event event) {
  if (is_stopped_) return;
  const auto shared = std::make_shared<const Event>(std::move(event));
  for (const auto& channel : channels_) {
    if (kind == ListensTo::kAll && channel->listens_to == ListensTo::kTrouble) continue;
    if (channel->queue.size() >= options_.queue_max) DropOldest(*channel);
    channel->queue.push_back(shared);
    MakeReady(channel);
  }
  DeliverNext();
}

void ListenerBus::DropOldest(Channel& channel) {
  channel.queue.pop_front();
  ++channel.untold_drops;
  ++dropped_count_;
  if (!IsDue(channel.drops)) return;
  LOG(WARNING) << "the streaming listener " << channel.name << " is slower than events: over "
               << options_.queue_max << " wait for it, so its oldest are dropped ("
               << std::exchange(channel.drops.count, 0) << " since this was said last)";
}

// Counts, and says whether it is time for a line about it.
bool ListenerBus::IsDue(Trouble& trouble) {
  ++trouble.count;
  const int64_t now_micros = env_.MonotonicMicros();
  if (trouble.logged_micros > 0 && now_micros - trouble.logged_micros < kLogPeriodMicros) {
    return false;
  }
  trouble.logged_micros = std::max<int64_t>(1, now_micros);
  return true;
}

void ListenerBus::MakeReady(const std::shared_ptr<Channel>& channel) {
  if (channel->is_ready || channel->is_delivering || channel->queue.empty()) return;
  channel->is_ready = true;
  ready_.push_back(channel);
}

void ListenerBus::DeliverNext() {
  while (deliveries_ < options_.deliveries_max && !ready_.empty()) {
    const std::shared_ptr<Channel> channel = std::move(ready_.front());
    ready_.pop_front();
    channel->is_ready = false;
    Deliver(channel);
  }
}

void ListenerBus::Deliver(const std::shared_ptr<Channel>& channel) {
  channel->is_delivering = true;
  ++deliveries_;
  const auto delivery = std::make_shared<Delivery>();
  delivery->untold_drops = std::exchange(channel->untold_drops, 0);
  if (channel->queue.size() <= kEventsAtOnceMax) {
    delivery->events.swap(channel->queue);
  } else {
    const auto end = channel->queue.begin() + kEventsAtOnceMax;
    delivery->events.assign(std::make_move_iterator(channel->queue.begin()),
                            std::make_move_iterator(end));
    channel->queue.erase(channel->queue.begin(), end);
  }
  env_.RunJob(
      [delivery, listener = channel->listener, gives_up = gives_up_] {
        delivery->Run(*listener, *gives_up);
      },
      [self = shared_from_this(), channel, delivery] { self->OnDelivered(channel, *delivery); });
}

void ListenerBus::OnDelivered(const std::shared_ptr<Channel>& channel, const Delivery& delivery) {
  channel->is_delivering = false;
  --deliveries_;
  for (int64_t i = 0; i < delivery.throws; ++i) {
    if (!IsDue(channel->throws)) continue;
    LOG(ERROR) << "the streaming listener " << channel->name << " threw: " << delivery.first_throw
               << " (" << std::exchange(channel->throws.count, 0)
               << " times since this was said last)";
  }
  MakeReady(channel);
  DeliverNext();
  FinishWhenDone();
}

// ---------------------------------------------------------------------------------------------
// Stopping.

void ListenerBus::Stop(Closure done) {
  is_stopped_ = true;
  when_stopped_ = std::move(done);
  if (deliveries_ > 0 || !ready_.empty()) {
    stop_timer_ =
        env_.After(options_.stop_micros_max, [self = shared_from_this()] { self->GiveUp(); });
  }
  FinishWhenDone();
}

void ListenerBus::GiveUp() {
  stop_timer_ = kNoTimer;
  gives_up_->store(true);
  ready_.clear();
  for (const auto& channel : channels_) {
    channel->is_ready = false;
    const size_t waiting = channel->queue.size();
    channel->queue.clear();
    if (waiting == 0 && !channel->is_delivering) continue;
    dropped_count_ += static_cast<int64_t>(waiting);
    LOG(WARNING) << "the streaming listener " << channel->name << " has not taken all events "
                 << options_.stop_micros_max / kMicrosPerSecond
                 << " s after the end of the run: " << waiting << " are dropped";
  }
  if (when_stopped_) std::exchange(when_stopped_, nullptr)();
}

void ListenerBus::FinishWhenDone() {
  if (!when_stopped_ || deliveries_ > 0 || !ready_.empty()) return;
  env_.Cancel(std::exchange(stop_timer_, kNoTimer));
  std::exchange(when_stopped_, nullptr)();
}

}  // namespace millrace::internal
