// Pseudo-random numbers that are the same on every machine: a task that runs again must draw as it
// did before. Light enough for user programs, unlike <random>.
#ifndef MILLRACE_EXECUTOR_OPERATOR_RANDOM_H_
#define MILLRACE_EXECUTOR_OPERATOR_RANDOM_H_

#include <cstdint>

namespace millrace::internal {

// SplitMix64.
class Random {
 public:
  // Streams of neighbouring numbers under one seed have nothing in common.
  Random(uint64_t seed, uint64_t stream) : state_(seed) { state_ += Next() ^ (stream * kStep); }

  uint64_t Next() {
    uint64_t z = state_ += kStep;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // In [0, 1).
  double NextDouble() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  // In [0, bound); `bound` is not 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15u;

  uint64_t state_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_RANDOM_H_
