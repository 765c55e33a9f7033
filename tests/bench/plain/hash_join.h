// The hand-written join of two sets of pairs, on two threads: each takes half of the keys, builds a
// table of the one side and looks the other side up.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_HASH_JOIN_H_
#define MILLRACE_TESTS_BENCH_PLAIN_HASH_JOIN_H_

#include <cstdint>

namespace millrace::bench {

// What a join comes to.
struct JoinTotals {
  int64_t records = 0;
  int64_t sum = 0;  // Of the products of both values.

  friend bool operator==(const JoinTotals&, const JoinTotals&) = default;
};

// Both sides have each of 0 .. keys - 1 once, in orders without pattern.
inline int64_t LeftKey(int64_t i, int64_t keys) { return i * 7368787 % keys; }
inline int64_t RightKey(int64_t i, int64_t keys) { return i * 15485863 % keys; }

JoinTotals JoinOnTwoThreads(int64_t keys);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_HASH_JOIN_H_
