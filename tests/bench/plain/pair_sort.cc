#include "tests/bench/plain/pair_sort.h"

#include <algorithm>
#include <thread>

namespace millrace::bench {
namespace {

using Pairs = std::vector<std::pair<int64_t, int64_t>>;

Pairs SortedPart(int64_t first, int64_t end) {
  Pairs pairs;
  pairs.reserve(static_cast<size_t>(end - first));
  for (int64_t i = first; i < end; ++i) pairs.push_back(PairToSort(i));
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

}  // namespace

Pairs SortPairsOnTwoThreads(int64_t count) {
  Pairs second;
  std::thread thread([&] { second = SortedPart(count / 2, count); });
  const Pairs first = SortedPart(0, count / 2);
  thread.join();
  Pairs all(first.size() + second.size());
  std::merge(first.begin(), first.end(), second.begin(), second.end(), all.begin());
  return all;
}

}  // namespace millrace::bench
