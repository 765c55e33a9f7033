#include "common/concurrent/event_loop.h"

#include <glog/logging.h>

#include <iterator>

#include "absl/time/time.h"
#include "common/concurrent/named_thread.h"
#include "common/time/system_clock.h"

namespace millrace {

namespace {

thread_local const EventLoop* current_loop = nullptr;

constexpr absl::Duration kFullWarningInterval = absl::Seconds(10);

// After a burst, memory goes back to what a busy loop needs.
constexpr size_t kRoundCapacityKept = 1 << 14;

// A thread that has borrowed the loop has work of its own; with more to do the loop is worth being
// woken.
constexpr int kBorrowedClosuresMax = 64;

}  // namespace

EventLoop::EventLoop(Options options)
    : options_(std::move(options)),
      parker_(options_.spin_max),
      thread_(StartThread(options_.name, [this] { Run(); })) {}

EventLoop::~EventLoop() {
  CHECK(!InLoopThread()) << "event loop " << options_.name << " cannot destroy itself";
  Stop();
}

bool EventLoop::InLoopThread() const { return current_loop == this; }

bool EventLoop::Post(Closure closure) {
  if (InLoopThread()) {
    if (stopped_.load(std::memory_order_relaxed)) return false;
    PostFromOwnThread(std::move(closure));
    return true;
  }
  bool wake = false;
  {
    absl::MutexLock lock(&mutex_);
    while (!HasRoomOrStopped() &&
           !mutex_.AwaitWithTimeout(absl::Condition(this, &EventLoop::HasRoomOrStopped),
                                    kFullWarningInterval)) {
      LOG(ERROR) << "event loop " << options_.name << " has had " << shared_posts_.size()
                 << " closures waiting for " << kFullWarningInterval
                 << ": it is stuck or overrun; posting to it blocks";
    }
    if (stopped_.load(std::memory_order_relaxed)) return false;
    shared_posts_.push_back(std::move(closure));
    has_shared_posts_.store(true, std::memory_order_relaxed);
    wake = TakeForThread();
  }
  if (wake) parker_.Unpark();
  return true;
}

bool EventLoop::TakeForThread() {
  if (runner_ != Runner::kNone) return false;
  runner_ = Runner::kThread;
  return true;
}

bool EventLoop::PostAndRun(Closure closure) {
  bool is_borrowed = false;
  {
    absl::MutexLock lock(&mutex_);
    is_borrowed = runner_ == Runner::kNone && !stopped_.load(std::memory_order_relaxed);
    if (is_borrowed) runner_ = Runner::kBorrowed;
  }
  if (!is_borrowed) return Post(std::move(closure));
  RunBorrowed(std::move(closure));
  return true;
}

void EventLoop::RunBorrowed(Closure closure) {
  const EventLoop* const outer = std::exchange(current_loop, this);
  closure();
  closure = nullptr;
  int left = kBorrowedClosuresMax;
  while (TakeBorrowedPosts(left)) {
    left -= static_cast<int>(round_.size());
    RunRound();
  }
  current_loop = outer;
}

bool EventLoop::TakeBorrowedPosts(int left) {
  bool wake = false;
  {
    absl::MutexLock lock(&mutex_);
    const bool has_posts = !own_posts_.empty() || !shared_posts_.empty();
    if (has_posts && left > 0 && !thread_waits_) {
      round_.swap(own_posts_);
      MoveSharedPostsInto(round_);
      return true;
    }
    // A timer that was set meanwhile may be due before the one that the thread sleeps for.
    const bool has_earlier_timer =
        !timers_.empty() && timers_.begin()->first.first < sleeps_until_ns_;
    wake =
        has_posts || thread_waits_ || has_earlier_timer || stopped_.load(std::memory_order_relaxed);
    thread_waits_ = false;
    runner_ = wake ? Runner::kThread : Runner::kNone;
  }
  if (wake) parker_.Unpark();
  return false;
}

void EventLoop::PostFromOwnThread(Closure closure) {
  // Posts of others that this closure may know of come first.
  if (has_shared_posts_.load(std::memory_order_relaxed)) {
    absl::MutexLock lock(&mutex_);
    MoveSharedPostsInto(own_posts_);
  }
  own_posts_.push_back(std::move(closure));
}

EventLoop::TimerId EventLoop::PostAt(int64_t deadline_ns, Closure closure) {
  TimerId id;
  bool wake = false;
  {
    absl::MutexLock lock(&mutex_);
    id = ++last_timer_;
    if (stopped_.load(std::memory_order_relaxed)) return id;
    const auto [timer, inserted] = timers_.emplace(std::pair(deadline_ns, id), std::move(closure));
    deadlines_ns_.emplace(id, deadline_ns);
    // Whoever has borrowed the loop sees to timers when it gives it back.
    if (timer == timers_.begin()) wake = TakeForThread();
  }
  if (wake) parker_.Unpark();
  return id;
}

EventLoop::TimerId EventLoop::PostAfter(std::chrono::nanoseconds delay, Closure closure) {
  return PostAt(MonotonicNanos() + delay.count(), std::move(closure));
}

bool EventLoop::Cancel(TimerId id) {
  Closure dropped;  // Destroyed without the lock: its destructor may call us.
  absl::MutexLock lock(&mutex_);
  const auto deadline = deadlines_ns_.find(id);
  if (deadline == deadlines_ns_.end()) return false;
  const auto timer = timers_.find(std::pair(deadline->second, id));
  dropped = std::move(timer->second);
  timers_.erase(timer);
  deadlines_ns_.erase(deadline);
  return true;
}

void EventLoop::Stop() {
  bool wake = false;
  absl::btree_map<std::pair<int64_t, TimerId>, Closure> dropped;
  {
    absl::MutexLock lock(&mutex_);
    stopped_.store(true, std::memory_order_relaxed);
    timers_.swap(dropped);
    deadlines_ns_.clear();
    wake = TakeForThread();
  }
  dropped.clear();
  if (wake) parker_.Unpark();
  if (InLoopThread()) return;
  absl::MutexLock lock(&join_mutex_);
  if (thread_.joinable()) thread_.join();
}

void EventLoop::Run() {
  current_loop = this;
  do {
    RunDueTimers();
    RunRound();
  } while (TakePosts());
}

void EventLoop::RunRound() {
  for (Closure& closure : round_) {
    closure();
    closure = nullptr;  // What it holds must not wait for the end of the round.
  }
  round_.clear();
  if (round_.capacity() > kRoundCapacityKept) std::vector<Closure>().swap(round_);
}

void EventLoop::RunDueTimers() {
  if (next_deadline_ns_ == Parker::kForever) return;
  const int64_t now_ns = MonotonicNanos();
  if (next_deadline_ns_ > now_ns) return;
  const TimerId last_timer = [this] {
    absl::MutexLock lock(&mutex_);
    return last_timer_;
  }();
  while (true) {
    Closure due;
    {
      absl::MutexLock lock(&mutex_);
      // One at a time, because any may cancel the next. Timers set meanwhile wait for the next
      // round, so that they cannot keep the posts from running.
      const auto first = timers_.begin();
      if (first == timers_.end()) return;
      const auto [deadline_ns, id] = first->first;
      if (deadline_ns > now_ns || id > last_timer) return;
      due = std::move(first->second);
      timers_.erase(first);
      deadlines_ns_.erase(id);
    }
    due();
  }
}

bool EventLoop::TakePosts() {
  int64_t deadline_ns = Parker::kForever;
  {
    absl::MutexLock lock(&mutex_);
    next_deadline_ns_ = timers_.empty() ? Parker::kForever : timers_.begin()->first.first;
    round_.swap(own_posts_);
    MoveSharedPostsInto(round_);
    if (!round_.empty()) return true;
    if (stopped_.load(std::memory_order_relaxed)) return false;
    runner_ = Runner::kNone;
    deadline_ns = sleeps_until_ns_ = next_deadline_ns_;
  }
  parker_.ParkUntil(deadline_ns);
  AwaitTurn();
  return true;
}

// A timer is due, or somebody has woken the thread and made it the runner.
void EventLoop::AwaitTurn() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (runner_ == Runner::kNone) runner_ = Runner::kThread;
      if (runner_ == Runner::kThread) return;
      thread_waits_ = true;
    }
    parker_.Park();
  }
}

void EventLoop::MoveSharedPostsInto(std::vector<Closure>& posts) {
  if (posts.empty()) {
    posts.swap(shared_posts_);
  } else {
    posts.insert(posts.end(), std::make_move_iterator(shared_posts_.begin()),
                 std::make_move_iterator(shared_posts_.end()));
    shared_posts_.clear();
  }
  has_shared_posts_.store(false, std::memory_order_relaxed);
}

bool EventLoop::HasRoomOrStopped() const {
  return shared_posts_.size() < options_.posts_max || stopped_.load(std::memory_order_relaxed);
}

}  // namespace millrace
