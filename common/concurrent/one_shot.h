// A result that one thread waits for and another delivers.
#ifndef MILLRACE_COMMON_CONCURRENT_ONE_SHOT_H_
#define MILLRACE_COMMON_CONCURRENT_ONE_SHOT_H_

#include <chrono>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/concurrent/thread_wait.h"

namespace millrace {

// Set once, read any number of times. A job thread that runs an action waits on one for the event
// loop to deliver the outcome.
//
// Threads: any. The waiter may own it: once Wait has returned, Set has let go of it.
template <class T>
class OneShot {
 public:
  OneShot() = default;
  OneShot(const OneShot&) = delete;
  OneShot& operator=(const OneShot&) = delete;

  // The first value counts. False: there was one already.
  bool Set(T value) {
    absl::MutexLock lock(&mutex_);
    if (value_.has_value()) return false;
    value_.emplace(std::move(value));
    return true;
  }

  bool ready() const {
    absl::MutexLock lock(&mutex_);
    return IsSet();
  }

  // For what has no natural limit (a job, the life of an application); its deliverer must promise
  // a value, an error at the latest when it stops.
  T& Wait() {
    absl::MutexLock lock(&mutex_);
    AwaitUnder(mutex_, absl::Condition(this, &OneShot::IsSet), absl::InfiniteDuration());
    return *value_;
  }

  // nullptr: no value within `timeout`.
  T* WaitFor(std::chrono::nanoseconds timeout) {
    absl::MutexLock lock(&mutex_);
    const bool set =
        AwaitUnder(mutex_, absl::Condition(this, &OneShot::IsSet), absl::FromChrono(timeout));
    return set ? &*value_ : nullptr;
  }

 private:
  bool IsSet() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return value_.has_value(); }

  mutable absl::Mutex mutex_;
  std::optional<T> value_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_ONE_SHOT_H_
