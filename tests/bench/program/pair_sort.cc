// Sorting ten million pairs by their keys.
#include "tests/bench/plain/pair_sort.h"

#include <millrace/millrace.h>

#include "absl/strings/str_format.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

constexpr int64_t kPairs = 10'000'000;

using Pair = std::pair<int64_t, int64_t>;

// The number of pairs of a partition, or an error when they are not in order.
absl::Status CountInOrder(PartitionReader<Pair>& pairs, Emitter<int64_t>& emit) {
  int64_t count = 0;
  int64_t last = 0;
  for (const Pair& pair : pairs) {
    if (pair.first < last) return absl::InternalError("not in order");
    last = pair.first;
    ++count;
  }
  emit(count);
  return absl::OkStatus();
}

absl::StatusOr<double> TimeMillrace(const Context& context) {
  const Stopwatch watch;
  const auto count = context.Range(0, kPairs)
                         .Map([](int64_t i) { return PairToSort(i); })
                         .SortByKey()
                         .MapPartitions<int64_t>(Fn<&CountInOrder>)
                         .Sum();
  if (!count.ok()) return count.status();
  if (*count != kPairs) return absl::InternalError("wrong number of pairs");
  return watch.Seconds();
}

absl::StatusOr<double> TimePlain() {
  const Stopwatch watch;
  const std::vector<Pair> pairs = SortPairsOnTwoThreads(kPairs);
  if (!std::is_sorted(pairs.begin(), pairs.end())) return absl::InternalError("not in order");
  return watch.Seconds();
}

}  // namespace

absl::StatusOr<std::vector<Figure>> PairSort(const BenchOptions& options) {
  const Context context(Conf().SetAppName("PairSort").SetMaster("local[2]"));
  const auto medians = MedianSeconds({{"two threads", [] { return TimePlain(); }},
                                      {"local[2]", [&] { return TimeMillrace(context); }}},
                                     options.runs);
  if (!medians.ok()) return medians.status();
  const double plain = medians->at(0);
  const double ours = medians->at(1);
  return std::vector<Figure>{
      {plain / ours, absl::StrFormat("plain %.2f s, Millrace %.2f s", plain, ours)}};
}

}  // namespace millrace::bench
