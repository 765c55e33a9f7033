// Wall-clock seconds since it was made.
#ifndef MILLRACE_TESTS_BENCH_PROGRAM_STOPWATCH_H_
#define MILLRACE_TESTS_BENCH_PROGRAM_STOPWATCH_H_

#include <cstdint>

#include "common/time/system_clock.h"

namespace millrace::bench {

class Stopwatch {
 public:
  double Seconds() const { return static_cast<double>(MonotonicNanos() - start_ns_) * 1e-9; }

 private:
  const int64_t start_ns_ = MonotonicNanos();
};

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PROGRAM_STOPWATCH_H_
