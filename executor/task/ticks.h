// The cheapest clock there is: read twice a chunk for each operator of a task.
#ifndef MILLRACE_EXECUTOR_TASK_TICKS_H_
#define MILLRACE_EXECUTOR_TASK_TICKS_H_

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#elif !defined(__aarch64__)
#include "common/time/system_clock.h"
#endif

namespace millrace::internal {

// Rises at a constant rate that nobody knows: ticks are compared with the ticks of the whole task.
inline int64_t ReadTicks() {
#if defined(__x86_64__)
  return static_cast<int64_t>(__rdtsc());
#elif defined(__aarch64__)
  int64_t ticks;
  asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return MonotonicNanos();
#endif
}

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_TASK_TICKS_H_
