// The operating system's clocks. Only real_env, the event loop and what runs on threads of its own
// (receivers, daemons) may read them; the deterministic cores ask their Env.
#ifndef MILLRACE_COMMON_TIME_SYSTEM_CLOCK_H_
#define MILLRACE_COMMON_TIME_SYSTEM_CLOCK_H_

#include <cstdint>

namespace millrace {

// Since the epoch. May jump when somebody sets the clock.
int64_t WallClockMicros();

// Never goes back; counted from an unknown zero. CLOCK_MONOTONIC, as futexes wait on.
int64_t MonotonicNanos();

// For simulations: what MonotonicNanos returns from here on; null: the machine's. Before there are
// other threads.
void SetMonotonicClock(int64_t (*nanos)());

}  // namespace millrace

#endif  // MILLRACE_COMMON_TIME_SYSTEM_CLOCK_H_
