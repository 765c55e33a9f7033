// A way to an event loop that can be shut before the loop goes.
#ifndef MILLRACE_COMMON_CONCURRENT_LOOP_PORT_H_
#define MILLRACE_COMMON_CONCURRENT_LOOP_PORT_H_

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace millrace {

// Shared by whatever may outlive the loop: leases in a user's static variables, handles of a
// context that has stopped.
//
// Threads: any. Once Close has returned, the loop is not touched any more.
class LoopPort {
 public:
  using Closure = absl::AnyInvocable<void()>;

  // `post` puts a closure on the loop; any number of threads may be in it at once.
  explicit LoopPort(std::function<void(Closure)> post) : post_(std::move(post)) {}
  LoopPort(const LoopPort&) = delete;
  LoopPort& operator=(const LoopPort&) = delete;

  // False: it is shut, and `closure` is gone.
  bool Post(Closure closure) ABSL_LOCKS_EXCLUDED(mutex_) {
    // Shared: a thread that waits for room on the loop must not hold up the loop's own posts.
    const absl::ReaderMutexLock lock(&mutex_);
    if (post_ == nullptr) return false;
    post_(std::move(closure));
    return true;
  }

  // `last` is the last closure that goes through.
  void Close(Closure last) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    if (post_ == nullptr) return;
    post_(std::move(last));
    post_ = nullptr;
  }

 private:
  absl::Mutex mutex_;
  std::function<void(Closure)> post_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_LOOP_PORT_H_
