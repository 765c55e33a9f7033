#include "common/concurrent/thread_wait.h"

namespace millrace {
namespace {

thread_local ThreadWaiter* current_waiter = nullptr;

}  // namespace

void ThreadWaiter::Set(ThreadWaiter* waiter) { current_waiter = waiter; }

bool AwaitUnder(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout) {
  if (current_waiter != nullptr) return current_waiter->Await(mutex, condition, timeout);
  return mutex.AwaitWithTimeout(condition, timeout);
}

}  // namespace millrace
