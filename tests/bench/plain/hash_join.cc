#include "tests/bench/plain/hash_join.h"

#include <thread>

#include "absl/container/flat_hash_map.h"

namespace millrace::bench {
namespace {

JoinTotals JoinHalf(int64_t keys, int64_t half) {
  absl::flat_hash_map<int64_t, int64_t> left;
  left.reserve(static_cast<size_t>(keys / 2 + 1));
  for (int64_t i = 0; i < keys; ++i) {
    const int64_t key = LeftKey(i, keys);
    if (key % 2 == half) left.emplace(key, i);
  }
  JoinTotals totals;
  for (int64_t i = 0; i < keys; ++i) {
    const int64_t key = RightKey(i, keys);
    if (key % 2 != half) continue;
    const auto found = left.find(key);
    if (found == left.end()) continue;
    ++totals.records;
    totals.sum += found->second * i;
  }
  return totals;
}

}  // namespace

JoinTotals JoinOnTwoThreads(int64_t keys) {
  JoinTotals other;
  std::thread thread([&] { other = JoinHalf(keys, 1); });
  JoinTotals totals = JoinHalf(keys, 0);
  thread.join();
  totals.records += other.records;
  totals.sum += other.sum;
  return totals;
}

}  // namespace millrace::bench
