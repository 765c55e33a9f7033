// How a thread waits for what others do under a lock.
#ifndef MILLRACE_COMMON_CONCURRENT_THREAD_WAIT_H_
#define MILLRACE_COMMON_CONCURRENT_THREAD_WAIT_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace millrace {

// Waits in the place of a thread. In a simulation, where one thread runs at a time, it lets the
// others go on, and timeouts are of simulated time.
class ThreadWaiter {
 public:
  virtual ~ThreadWaiter() = default;
  // As AwaitUnder.
  virtual bool Await(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) = 0;

  // The calling thread's from here on, until another one, or none (null), takes its place.
  static void Set(ThreadWaiter* waiter);
};

// Lets go of the mutex until `condition` holds or `timeout` is over, and has it again when it
// returns. True: the condition holds.
//
// Whatever waits where a simulation comes waits here. Threads: any.
bool AwaitUnder(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_THREAD_WAIT_H_
