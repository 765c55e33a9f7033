#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

#include "common/time/system_clock.h"
#include "glog/logging.h"

namespace millrace::sim {
namespace {

// Between the moment at which a thread may go on and its turn.
constexpr int64_t kWakeMicrosMax = 100;
// Until a JoinedThread begins.
constexpr int64_t kThreadMicrosMax = 1'000;
// A program that waits for longer waits for ever.
constexpr int64_t kWaitMicrosMax = int64_t{3600} * 1'000'000;
constexpr uint64_t kDigestFactor = 0x9e3779b97f4a7c15;

const World* current_world = nullptr;

}  // namespace

World::World(uint64_t seed) : random_(seed) {
  CHECK(current_world == nullptr) << "there is a world already";
  current_world = this;
  SetMonotonicClock(
      [] { return (current_world->now_micros_ + current_world->skipped_micros_) * 1000; });
  ThreadWaiter::Set(this);
  ThreadMaker::Set(this);
}

World::~World() {
  ThreadMaker::Set(nullptr);
  ThreadWaiter::Set(nullptr);
  SetMonotonicClock(nullptr);
  current_world = nullptr;
  CHECK(waiting_.empty()) << waiting_.size() << " threads wait for what does not come any more";
}

int64_t World::Between(int64_t low, int64_t high) {
  CHECK_LE(low, high);
  const auto span = static_cast<uint64_t>(high - low) + 1;
  return low + static_cast<int64_t>(random_() % span);
}

int64_t World::Delay(int64_t max) {
  const int64_t usual = std::max<int64_t>(1, max / 16);
  return OneIn(16) ? Between(0, max) : Between(0, usual);
}

EventId World::At(int64_t micros, NodeId node, EventKind kind, Closure closure) {
  const EventId id = ++last_event_;
  if (dead_.contains(node)) return id;
  const Key key{std::max(micros, now_micros_), random_(), id};
  keys_.emplace(id, key);
  events_.emplace(key, Event{node, kind, std::move(closure)});
  return id;
}

void World::Cancel(EventId id) {
  const auto key = keys_.find(id);
  if (key == keys_.end()) return;
  const auto event = events_.extract(key->second);  // Goes when the queue is whole again.
  keys_.erase(key);
}

bool World::RunOne() {
  if (events_.empty()) return false;
  auto event = events_.extract(events_.begin());
  keys_.erase(event.key().id);
  now_micros_ = event.key().micros;
  ++event_count_;
  const auto [node, kind] = std::pair(event.mapped().node, event.mapped().kind);
  for (const uint64_t part : {static_cast<uint64_t>(now_micros_), static_cast<uint64_t>(node),
                              static_cast<uint64_t>(kind)}) {
    digest_ = (digest_ ^ part) * kDigestFactor;
    digest_ ^= digest_ >> 32;
  }
  if (trace_ != nullptr) trace_(now_micros_, node, kind);
  CHECK(!in_event_) << "an event waits for other events";
  in_event_ = true;
  current_node_ = node;
  event.mapped().closure();
  event.mapped().closure = nullptr;
  current_node_ = kNobody;
  in_event_ = false;
  WakeThoseWhoMayGoOn();
  return true;
}

bool World::RunUntil(absl::FunctionRef<bool()> is_done, int64_t until_micros) {
  while (!is_done()) {
    if (events_.empty()) return false;
    if (events_.begin()->first.micros > until_micros) {
      now_micros_ = std::max(now_micros_, until_micros);
      return false;
    }
    RunOne();
  }
  return true;
}

void World::RunFor(int64_t micros) {
  RunUntil([] { return false; }, now_micros_ + micros);
}

// Of the program's thread.
bool World::Await(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout) {
  const bool has_limit = timeout < absl::Microseconds(kWaitMicrosMax);
  const int64_t limit_micros = has_limit ? absl::ToInt64Microseconds(timeout) : kWaitMicrosMax;
  bool holds = condition.Eval();
  mutex.Unlock();
  const auto may_go_on = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex.Lock();
    holds = condition.Eval();
    mutex.Unlock();
    return holds;
  };
  RunUntil(may_go_on, now_micros_ + limit_micros);
  CHECK(holds || has_limit) << "the program waits for ever";
  mutex.Lock();
  return holds;
}

// ---------------------------------------------------------------------------------------------
// Threads.

void World::RunOnThread(NodeId node, int64_t delay_micros, Closure work, Closure done) {
  if (dead_.contains(node)) return;
  ++works_[node];
  After(delay_micros, node, EventKind::kBegin,
        [this, node, work = std::move(work), done = std::move(done)]() mutable {
          Begin(node, std::move(work), std::move(done));
        });
}

int World::works_under_way(NodeId node) const {
  const auto count = works_.find(node);
  return count == works_.end() ? 0 : count->second;
}

bool World::HasPending(NodeId node, EventKind kind) const {
  return std::any_of(events_.begin(), events_.end(), [&](const auto& event) {
    return event.second.node == node && event.second.kind == kind;
  });
}

TurnThread* World::TakeThread() {
  if (idle_threads_.empty()) {
    threads_.push_back(std::make_unique<TurnThread>(skipped_micros_));
    idle_threads_.push_back(threads_.back().get());
  }
  TurnThread* const thread = idle_threads_.back();
  idle_threads_.pop_back();
  return thread;
}

void World::Begin(NodeId node, Closure work, Closure done) {
  auto begun = std::make_shared<Work>(Work{node, TakeThread(), std::move(done)});
  begun->thread->Give(std::move(work));
  Continue(begun);
}

void World::Continue(const std::shared_ptr<Work>& work) {
  const NodeId caller = std::exchange(current_node_, work->node);
  work->thread->Run();
  current_node_ = caller;
  if (work->thread->has_work()) {
    waiting_.push_back(work);
    if (work->thread->timeout() >= absl::Microseconds(kWaitMicrosMax)) return;
    work->timeout = After(absl::ToInt64Microseconds(work->thread->timeout()), work->node,
                          EventKind::kTimer, [this, work] {
                            std::erase(waiting_, work);
                            work->timeout = 0;
                            Continue(work);
                          });
    return;
  }
  idle_threads_.push_back(work->thread);
  if (work->is_joined) return;
  --works_[work->node];
  if (!dead_.contains(work->node)) work->done();
}

void World::WakeThoseWhoMayGoOn() {
  for (size_t i = 0; i < waiting_.size();) {
    const std::shared_ptr<Work> work = waiting_[i];
    if (!work->thread->MayGoOn()) {
      ++i;
      continue;
    }
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    if (work->timeout != 0) Cancel(std::exchange(work->timeout, 0));
    waking_.push_back(work);
    After(Delay(kWakeMicrosMax), work->node, EventKind::kWake, [this, work] {
      std::erase(waking_, work);
      Continue(work);
    });
  }
}

void World::Kill(NodeId node) {
  CHECK_NE(node, kNobody);
  if (!dead_.insert(node).second) return;
  std::vector<Event> dropped;  // They go when the queue is whole again.
  for (auto event = events_.begin(); event != events_.end();) {
    if (event->second.node != node) {
      ++event;
      continue;
    }
    keys_.erase(event->first.id);
    dropped.push_back(std::move(event->second));
    event = events_.erase(event);
  }
  std::vector<std::shared_ptr<Work>> works;
  for (auto* const list : {&waiting_, &waking_}) {
    const auto of_node = std::stable_partition(
        list->begin(), list->end(), [node](const auto& work) { return work->node != node; });
    works.insert(works.end(), of_node, list->end());
    list->erase(of_node, list->end());
  }
  for (const std::shared_ptr<Work>& work : works) {
    if (!work->is_joined) RunToEnd(work);
  }
  works_.erase(node);
}

void World::RunToEnd(const std::shared_ptr<Work>& work) {
  std::erase(waiting_, work);
  std::erase(waking_, work);
  work->thread->GiveUp();
  Continue(work);
  CHECK(!work->thread->has_work());
  skipped_micros_ = 0;
}

// Its node's, which may end before it.
class World::Joined final : public ThreadMaker::Thread {
 public:
  explicit Joined(World& world, NodeId node) : world_(world), node_(node) {}

  void Begin(const std::shared_ptr<Joined>& self, Closure body) {
    work_ = std::make_shared<Work>(Work{node_, world_.TakeThread(), nullptr});
    work_->is_joined = true;
    work_->thread->Give([self, body = std::move(body)]() mutable {
      body();
      const absl::MutexLock lock(&self->mutex_);
      self->has_ended_ = true;
    });
    world_.Continue(work_);
  }

  void Join() override {
    {
      const absl::MutexLock lock(&mutex_);
      const bool has_ended =
          has_ended_ || (TurnThread::IsCurrent() && AwaitUnder(mutex_, absl::Condition(&has_ended_),
                                                               absl::InfiniteDuration()));
      if (has_ended || work_ == nullptr) return;
    }
    CHECK(world_.IsDead(node_)) << "an event waits for a thread";
    world_.RunToEnd(work_);
  }

 private:
  World& world_;
  const NodeId node_;
  std::shared_ptr<Work> work_;  // Null: its node ended before it began.
  absl::Mutex mutex_;
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
};

std::unique_ptr<ThreadMaker::Thread> World::Make(Closure body) {
  // The thread's own, too.
  class Handle final : public ThreadMaker::Thread {
   public:
    explicit Handle(std::shared_ptr<Joined> joined) : joined_(std::move(joined)) {}
    void Join() override { joined_->Join(); }

   private:
    const std::shared_ptr<Joined> joined_;
  };
  const auto joined = std::make_shared<Joined>(*this, current_node_);
  After(Delay(kThreadMicrosMax), current_node_, EventKind::kBegin,
        [joined, body = std::move(body)]() mutable { joined->Begin(joined, std::move(body)); });
  return std::make_unique<Handle>(joined);
}

}  // namespace millrace::sim
