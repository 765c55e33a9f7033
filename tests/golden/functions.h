// Functions that several tables of operations use. A table says under which name.
#ifndef MILLRACE_TESTS_GOLDEN_FUNCTIONS_H_
#define MILLRACE_TESTS_GOLDEN_FUNCTIONS_H_

#include <algorithm>
#include <string>

#include "tests/golden/record_value.h"

namespace millrace::golden {

struct Max {
  template <class T>
  T operator()(const T& a, const T& b) const {
    return std::max(a, b);
  }
};

struct Double {
  Int operator()(Int x) const { return 2 * x; }
};

// x times x; none of a number below 1.
struct Repeat {
  std::vector<Int> operator()(Int x) const {
    return std::vector<Int>(static_cast<size_t>(std::max<Int>(x, 0)), x);
  }
};

// 0 to x - 1.
struct CountUp {
  std::vector<Int> operator()(Int x) const {
    std::vector<Int> numbers;
    for (Int i = 0; i < x; ++i) numbers.push_back(i);
    return numbers;
  }
};

// A partitioner: keys that begin with a letter before `m` in the first of two partitions.
struct HalvesOfAlphabet {
  int NumPartitions() const { return 2; }
  int GetPartition(const Text& key) const { return key < "m" ? 0 : 1; }
};

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_FUNCTIONS_H_
