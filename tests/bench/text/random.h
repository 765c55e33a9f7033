// Random numbers that are the same everywhere, unlike those of std distributions.
#ifndef MILLRACE_TESTS_BENCH_TEXT_RANDOM_H_
#define MILLRACE_TESTS_BENCH_TEXT_RANDOM_H_

#include <cstdint>

namespace millrace::bench {

// SplitMix64: a step and a mix, fast enough to draw a word of text in a nanosecond or two.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // In [0, bound).
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(((Next() >> 32) * bound) >> 32); }
  // In [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_TEXT_RANDOM_H_
