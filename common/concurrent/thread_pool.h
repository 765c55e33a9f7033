// Threads for what may take long or block: tasks, and user code of the driver.
#ifndef MILLRACE_COMMON_CONCURRENT_THREAD_POOL_H_
#define MILLRACE_COMMON_CONCURRENT_THREAD_POOL_H_

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/concurrent/parker.h"

namespace millrace {

// A fixed number of named threads that run closures in the order of submission. A closure waits in
// a bounded queue for a thread that is about to look there; if there are not enough of these, the
// thread is woken that went idle last.
//
// A wake-up takes a sleeping thread 10 to 50 us, longer than many a closure. So a thread whose
// closure is nearly over says so (AboutToBeFree), and one that has to wait anyway may look for work
// meanwhile (Guest): what is submitted then wakes one thread less.
//
// Threads: all methods from any thread; Stop and the destructor not from one of the pool's own.
// Invariant: no more closures wait than threads are coming, or no thread is idle.
class ThreadPool {
 public:
  using Closure = absl::AnyInvocable<void()>;

  struct Options {
    std::string name = "pool";  // Threads are called name-0, name-1, ...
    int threads = 1;
    size_t queue_max = 1024;  // Closures that wait while all threads are busy.
    // How long an idle thread looks for work before it sleeps; see Parker.
    std::chrono::microseconds spin_max{0};
  };

  explicit ThreadPool(Options options);
  ~ThreadPool();  // Stops.
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // ResourceExhausted: the queue is full. FailedPrecondition: stopped. `closure` is moved from only
  // when the result is OK.
  absl::Status TrySubmit(Closure&& closure);
  // The same, but waits up to `timeout` for room: DeadlineExceeded.
  absl::Status Submit(Closure&& closure, std::chrono::nanoseconds timeout);

  // The calling thread, if it runs a closure of this pool, will look for the next one in a moment.
  void AboutToBeFree();
  // Of this pool or a guest of it.
  bool IsOwnThread() const;

  // Lets the thread that makes it run closures of the pool. From then on the pool counts on the
  // guest to look for work soon: RunOne until it returns false, or the end of the guest.
  class Guest {
   public:
    explicit Guest(ThreadPool& pool);
    ~Guest();
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    // Runs the next closure. False: there is none, and nobody counts on the guest any more.
    bool RunOne();

   private:
    friend class ThreadPool;
    ThreadPool& pool_;
    bool is_coming_ = true;  // Guarded by the pool's mutex.
  };

  // Refuses new closures, runs those that were taken, then ends the threads. Waits for that end.
  void Stop();

  int thread_count() const { return options_.threads; }
  size_t queue_size() const;

 private:
  struct Worker {
    explicit Worker(const Options& options) : parker(options.spin_max) {}
    Parker parker;
    bool is_coming = false;  // Guarded by the pool's mutex.
    std::thread thread;
  };

  void Run(Worker& worker);
  // Blocks while there is nothing to do. Empty: stopped, and nothing is left.
  Closure NextClosure(Worker& worker);
  absl::Status Accept(Closure&& closure, Worker*& woken) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoomOrStopped() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Who must be woken for the invariant to hold; null: nobody.
  Worker* TakeIdleIfNeeded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetComing(bool& is_coming, bool now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Closure PopFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  std::vector<std::unique_ptr<Worker>> workers_;  // Fixed after construction.

  mutable absl::Mutex mutex_;
  std::deque<Closure> queue_ ABSL_GUARDED_BY(mutex_);
  size_t coming_ ABSL_GUARDED_BY(mutex_) = 0;          // Threads that will look at the queue.
  std::vector<Worker*> idle_ ABSL_GUARDED_BY(mutex_);  // The last one has the warmest cache.
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  absl::Mutex join_mutex_;  // Held while the threads are joined.
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_THREAD_POOL_H_
