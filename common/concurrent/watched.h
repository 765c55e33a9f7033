// A value that threads change and others wait on.
#ifndef MILLRACE_COMMON_CONCURRENT_WATCHED_H_
#define MILLRACE_COMMON_CONCURRENT_WATCHED_H_

#include <chrono>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/concurrent/thread_wait.h"

namespace millrace {

// Threads: any. The functions given to it run under its lock: they must be short and not block.
template <class T>
class Watched {
 public:
  explicit Watched(T value = T()) : value_(std::move(value)) {}
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  // `change(T&)`; whoever waits looks again.
  template <class Change>
  void Update(Change change) {
    absl::MutexLock lock(&mutex_);
    change(value_);
  }

  // What `read(const T&)` returns.
  template <class Read>
  auto Get(Read read) const {
    absl::MutexLock lock(&mutex_);
    return read(value_);
  }

  // Waits until `is_reached(const T&)` or, when `timeout` is not negative, for so long. Then
  // returns what `read(const T&)` returns.
  template <class IsReached, class Read>
  auto WaitUntil(IsReached is_reached, std::chrono::milliseconds timeout, Read read) const {
    absl::MutexLock lock(&mutex_);
    auto reached = [this, &is_reached]()
                       ABSL_NO_THREAD_SAFETY_ANALYSIS { return is_reached(value_); };
    AwaitUnder(mutex_, absl::Condition(&reached),
               timeout.count() < 0 ? absl::InfiniteDuration() : absl::FromChrono(timeout));
    return read(value_);
  }

 private:
  mutable absl::Mutex mutex_;
  T value_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_WATCHED_H_
