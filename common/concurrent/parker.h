// How a thread of ours goes to sleep and is woken: the one place where latency is decided.
#ifndef MILLRACE_COMMON_CONCURRENT_PARKER_H_
#define MILLRACE_COMMON_CONCURRENT_PARKER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

namespace millrace {

// A binary token on a futex. Unpark leaves the token; Park takes it, or blocks until it is there.
// An Unpark before the Park, or while it spins, costs no system call on either side.
//
// A futex, because it measures best: a wake-up by eventfd and epoll takes one and a half times as
// long, one by eventfd alone or by a condition variable up to a third longer.
//
// Threads: any may Unpark; only one, always the same, may Park.
class Parker {
 public:
  static constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

  // Before it blocks, Park looks for the token for up to `spin_max`, which saves the wake-up
  // (5 to 50 us) at the price of a busy core. It spins only while the recent past says that the
  // token comes that soon, so an idle thread costs nothing.
  explicit Parker(std::chrono::nanoseconds spin_max = std::chrono::nanoseconds(0))
      : spin_max_ns_(spin_max.count()), spin_ns_(spin_max.count()) {}
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  // Blocks until there is a token, and takes it: true. Or until MonotonicNanos() reaches
  // `deadline_ns`: false.
  bool ParkUntil(int64_t deadline_ns);
  void Park() { ParkUntil(kForever); }

  void Unpark();

 private:
  enum State : uint32_t { kEmpty, kParked, kToken };

  bool TakeToken();
  bool Spin(int64_t deadline_ns);
  bool Block(int64_t deadline_ns);

  const int64_t spin_max_ns_;
  int64_t spin_ns_;  // The parking thread's: how long it spins next time, 0..spin_max_ns_.
  std::atomic<uint32_t> state_{kEmpty};
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_PARKER_H_
