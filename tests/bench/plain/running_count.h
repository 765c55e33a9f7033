// The hand-written running count: a counter for each of many keys, one thread.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_RUNNING_COUNT_H_
#define MILLRACE_TESTS_BENCH_PLAIN_RUNNING_COUNT_H_

#include <cstdint>

#include "absl/container/flat_hash_map.h"

namespace millrace::bench {

// The key of update `i` of `count`: each of 0 .. count - 1 once, in an order without pattern.
// `count` is a power of ten, so an odd factor that is no multiple of five visits each key.
inline int64_t KeyOfUpdate(int64_t i, int64_t count) { return i * 7368787 % count; }

using RunningCounts = absl::flat_hash_map<int64_t, int64_t>;

// Counts `updates` updates.
inline void CountUpdates(int64_t updates, int64_t keys, RunningCounts& counts) {
  for (int64_t i = 0; i < updates; ++i) ++counts[KeyOfUpdate(i, keys)];
}

// Visits every key.
inline int64_t SumOf(const RunningCounts& counts) {
  int64_t sum = 0;
  for (const auto& [key, count] : counts) sum += count;
  return sum;
}

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_RUNNING_COUNT_H_
