// A lock whose holder may wait for others.
#ifndef MILLRACE_COMMON_CONCURRENT_WAITING_LOCK_H_
#define MILLRACE_COMMON_CONCURRENT_WAITING_LOCK_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/concurrent/thread_wait.h"

namespace millrace {

// For std::lock_guard and std::unique_lock. Its holder may take it again, and may wait while it has
// it: those who want it wait as AwaitUnder does. A lock that is held for a moment only is better an
// absl::Mutex.
//
// Threads: any; the one that took it gives it back.
class WaitingLock {
 public:
  void lock() {
    const std::thread::id self = std::this_thread::get_id();
    const auto may_take = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return depth_ == 0 || holder_ == self;
    };
    const absl::MutexLock lock(&mutex_);
    AwaitUnder(mutex_, absl::Condition(&may_take), absl::InfiniteDuration());
    holder_ = self;
    ++depth_;
  }
  bool try_lock() {
    const std::thread::id self = std::this_thread::get_id();
    const absl::MutexLock lock(&mutex_);
    if (depth_ > 0 && holder_ != self) return false;
    holder_ = self;
    ++depth_;
    return true;
  }
  void unlock() {
    const absl::MutexLock lock(&mutex_);
    --depth_;
  }

 private:
  absl::Mutex mutex_;
  std::thread::id holder_ ABSL_GUARDED_BY(mutex_);  // While it is taken.
  int depth_ ABSL_GUARDED_BY(mutex_) = 0;           // How often the holder has taken it.
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_WAITING_LOCK_H_
