// A queue between threads that block: a receiver's cutter and its pusher, for one.
#ifndef MILLRACE_COMMON_CONCURRENT_BOUNDED_QUEUE_H_
#define MILLRACE_COMMON_CONCURRENT_BOUNDED_QUEUE_H_

#include <glog/logging.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace millrace {

// First in, first out, at most `capacity` elements. A full queue makes its producers wait: that is
// how a slow stage slows the one before it.
//
// Errors: DeadlineExceeded (still full, or still empty, after the timeout), Cancelled (closed).
// Threads: any number on either side.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) { CHECK_GT(capacity, 0u); }
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  // `item` is moved from only when the result is OK.
  absl::Status Push(T&& item, std::chrono::nanoseconds timeout) {
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(this, &BoundedQueue::CanPush),
                                 absl::FromChrono(timeout))) {
      return absl::DeadlineExceededError("the queue is still full");
    }
    if (closed_) return absl::CancelledError("the queue is closed");
    items_.push_back(std::move(item));
    return absl::OkStatus();
  }

  // Takes the oldest element. A closed queue is first emptied.
  absl::StatusOr<T> Pop(std::chrono::nanoseconds timeout) {
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(this, &BoundedQueue::CanPop),
                                 absl::FromChrono(timeout))) {
      return absl::DeadlineExceededError("the queue is still empty");
    }
    if (items_.empty()) return absl::CancelledError("the queue is closed");
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

  // Refuses further elements and wakes whoever waits.
  void Close() {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }

  size_t size() const {
    absl::MutexLock lock(&mutex_);
    return items_.size();
  }

 private:
  bool CanPush() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return closed_ || items_.size() < capacity_;
  }
  bool CanPop() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return closed_ || !items_.empty(); }

  const size_t capacity_;
  mutable absl::Mutex mutex_;
  std::deque<T> items_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_BOUNDED_QUEUE_H_
