#include "common/time/system_clock.h"

#include <chrono>
#include <ctime>

namespace millrace {
namespace {

int64_t (*simulated_nanos)() = nullptr;

}  // namespace

int64_t WallClockMicros() {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  return duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void SetMonotonicClock(int64_t (*nanos)()) { simulated_nanos = nanos; }

int64_t MonotonicNanos() {
  if (simulated_nanos != nullptr) return simulated_nanos();
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace millrace
