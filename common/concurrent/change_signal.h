// A condition variable whose waits a simulation knows of.
#ifndef MILLRACE_COMMON_CONCURRENT_CHANGE_SIGNAL_H_
#define MILLRACE_COMMON_CONCURRENT_CHANGE_SIGNAL_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/concurrent/thread_wait.h"

namespace millrace {

// As absl::CondVar. Threads: any, all calls under one mutex.
class ChangeSignal {
 public:
  void SignalAll() { ++signals_; }
  // Until the next signal, at most `timeout`.
  void WaitWithTimeout(absl::Mutex* mutex, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const auto is_signalled = [this, seen = signals_] { return signals_ != seen; };
    AwaitUnder(*mutex, absl::Condition(&is_signalled), timeout);
  }

 private:
  uint64_t signals_ = 0;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_CHANGE_SIGNAL_H_
