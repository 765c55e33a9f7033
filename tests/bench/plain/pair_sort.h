// The hand-written sort of pairs, on two threads: std::sort of halves, then a merge.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_PAIR_SORT_H_
#define MILLRACE_TESTS_BENCH_PLAIN_PAIR_SORT_H_

#include <cstdint>
#include <utility>
#include <vector>

namespace millrace::bench {

// Keys without pattern.
inline std::pair<int64_t, int64_t> PairToSort(int64_t i) {
  auto z = static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  return {static_cast<int64_t>((z ^ (z >> 27)) >> 1), i};
}

std::vector<std::pair<int64_t, int64_t>> SortPairsOnTwoThreads(int64_t count);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_PAIR_SORT_H_
