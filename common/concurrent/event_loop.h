// Where a core lives: closures that run one at a time.
#ifndef MILLRACE_COMMON_CONCURRENT_EVENT_LOOP_H_
#define MILLRACE_COMMON_CONCURRENT_EVENT_LOOP_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "common/concurrent/parker.h"

namespace millrace {

// Runs closures one at a time: those posted, in the order in which they were posted, and those
// whose time has come. A closure must not block: everything else that the loop has to do waits for
// it.
//
// The loop has a thread, which sleeps while there is nothing to do. A thread that has just finished
// something else may run the loop in its stead (PostAndRun): on a small machine waking a thread
// takes longer than most closures. Whoever runs the loop is the loop thread for that time.
//
// Order: whatever was posted before (by program order, or by any chain of synchronisation between
// threads) runs before. Due timers run first, earliest deadline first.
// Cost:  a batch of posts is taken under one lock; a post to a loop that is awake makes no system
// call; a post by the loop itself takes no lock either.
// Threads: all methods from any thread, the destructor from any but the loop's own.
class EventLoop {
 public:
  using Closure = absl::AnyInvocable<void()>;
  using TimerId = uint64_t;  // Never 0.

  struct Options {
    std::string name = "event_loop";
    // How long the loop looks for more work before it sleeps; see Parker.
    std::chrono::microseconds spin_max{0};
    // Of other threads, not yet taken by the loop. Far above what slots and connections can have
    // under way: reaching it means that the loop is stuck or overrun.
    size_t posts_max = size_t{1} << 20;
  };

  // The loop runs from here on.
  explicit EventLoop(Options options);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs `closure` on the loop. False: the loop has been stopped; `closure` is dropped.
  // Waits while there are `posts_max` closures before it, but never on the loop itself.
  bool Post(Closure closure);

  // The same for a thread that is between two pieces of work: when the loop sleeps, this thread
  // runs `closure` and what that posts, a limited number of closures, before this returns. So it
  // must hold no lock.
  bool PostAndRun(Closure closure);

  // Runs `closure` when MonotonicNanos() reaches `deadline_ns`; after Stop, never.
  TimerId PostAt(int64_t deadline_ns, Closure closure);
  TimerId PostAfter(std::chrono::nanoseconds delay, Closure closure);
  // True: the timer's closure will not run and is gone. False: it ran, is running or is unknown.
  bool Cancel(TimerId id);

  // Runs what was posted before, drops timers and later posts, ends the thread. Waits for that end
  // unless called on the loop. More calls do nothing more.
  void Stop();

  bool InLoopThread() const;

 private:
  // Who runs closures. Only the one who does changes kThread and kBorrowed to something else.
  enum class Runner {
    kNone,      // The thread sleeps, or is about to. Whoever has work makes it kThread and unparks.
    kThread,    // The loop's own thread, awake or being woken.
    kBorrowed,  // Another thread; the loop's own sleeps, or waits for its turn.
  };

  void Run();
  void RunBorrowed(Closure closure);
  // Fills `round_` for the thread that has borrowed the loop. False: the loop is given back.
  bool TakeBorrowedPosts(int left);
  // True: the loop's thread must be unparked.
  bool TakeForThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunDueTimers();
  void RunRound();
  // Fills `round_` with what is posted, sleeping until there is something or a timer is due.
  // False: stopped, and nothing is left.
  bool TakePosts();
  void AwaitTurn();
  void PostFromOwnThread(Closure closure);
  void MoveSharedPostsInto(std::vector<Closure>& posts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoomOrStopped() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Parker parker_;

  // Of whoever runs the loop.
  std::vector<Closure> round_;      // Running now.
  std::vector<Closure> own_posts_;  // Of the loop itself, for the next round.

  // The loop's own thread's: the first timer, when it last looked.
  int64_t next_deadline_ns_ = Parker::kForever;

  // Written under `mutex_`; read without it where a late answer does no harm.
  std::atomic<bool> has_shared_posts_{false};
  std::atomic<bool> stopped_{false};

  absl::Mutex mutex_;
  std::vector<Closure> shared_posts_ ABSL_GUARDED_BY(mutex_);
  Runner runner_ ABSL_GUARDED_BY(mutex_) = Runner::kThread;
  // The loop's own thread has work and waits until it gets the loop back.
  bool thread_waits_ ABSL_GUARDED_BY(mutex_) = false;
  // While the thread sleeps: when it wakes by itself.
  int64_t sleeps_until_ns_ ABSL_GUARDED_BY(mutex_) = Parker::kForever;
  // Invariant: the same timers in both.
  absl::btree_map<std::pair<int64_t, TimerId>, Closure> timers_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<TimerId, int64_t> deadlines_ns_ ABSL_GUARDED_BY(mutex_);
  TimerId last_timer_ ABSL_GUARDED_BY(mutex_) = 0;

  absl::Mutex join_mutex_;  // Taken before nothing, held while the thread is joined.
  std::thread thread_ ABSL_GUARDED_BY(join_mutex_);
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_EVENT_LOOP_H_
