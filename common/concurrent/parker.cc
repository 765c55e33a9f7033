#include "common/concurrent/parker.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "common/time/system_clock.h"

namespace millrace {

namespace {

// Returns false when the deadline has passed. May return true for no reason.
bool FutexWait(std::atomic<uint32_t>& word, uint32_t expected, int64_t deadline_ns) {
  timespec deadline;
  timespec* timeout = nullptr;
  if (deadline_ns != Parker::kForever) {
    deadline_ns = std::max<int64_t>(deadline_ns, 0);
    deadline.tv_sec = deadline_ns / 1'000'000'000;
    deadline.tv_nsec = deadline_ns % 1'000'000'000;
    timeout = &deadline;
  }
  // The BITSET form is the one that takes an absolute time of the monotonic clock.
  const long result = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, timeout,
                              nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == 0 || errno != ETIMEDOUT;
}

void FutexWakeOne(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void RelaxCpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

}  // namespace

bool Parker::TakeToken() {
  return state_.load(std::memory_order_relaxed) == kToken &&
         state_.exchange(kEmpty, std::memory_order_acquire) == kToken;
}

bool Parker::ParkUntil(int64_t deadline_ns) {
  if (TakeToken()) return true;
  if (spin_max_ns_ == 0) return Block(deadline_ns);

  const int64_t start_ns = MonotonicNanos();
  if (Spin(std::min(deadline_ns, start_ns + spin_ns_))) {
    spin_ns_ = spin_max_ns_;
    return true;
  }
  const bool woken = Block(deadline_ns);
  // A token that came soon would have been seen by a full spin; half of the time measured may be
  // the wake-up itself.
  const bool came_soon = woken && MonotonicNanos() - start_ns < 2 * spin_max_ns_;
  spin_ns_ = came_soon ? spin_max_ns_ : spin_ns_ / 2;
  return woken;
}

bool Parker::Spin(int64_t deadline_ns) {
  constexpr int kLooksPerClockReading = 16;
  while (MonotonicNanos() < deadline_ns) {
    for (int i = 0; i < kLooksPerClockReading; ++i) {
      if (TakeToken()) return true;
      RelaxCpu();
    }
  }
  return false;
}

bool Parker::Block(int64_t deadline_ns) {
  uint32_t expected = kEmpty;
  if (!state_.compare_exchange_strong(expected, kParked, std::memory_order_relaxed)) {
    return TakeToken();
  }
  while (FutexWait(state_, kParked, deadline_ns)) {
    if (TakeToken()) return true;
  }
  // Out of time, unless the token came just now.
  return state_.exchange(kEmpty, std::memory_order_acquire) == kToken;
}

void Parker::Unpark() {
  if (state_.exchange(kToken, std::memory_order_release) == kParked) FutexWakeOne(state_);
}

}  // namespace millrace
