// The join of two streams.
#include <millrace/testing.h>

#include "absl/strings/str_format.h"
#include "tests/bench/plain/hash_join.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kKeys = 1'000'000;

struct JoinTotalsRecord {
  JoinTotals totals;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(totals.records, totals.sum);
  }
};

using Pair = std::pair<int64_t, int64_t>;
using Joined = std::pair<int64_t, Pair>;

}  // namespace

absl::StatusOr<std::vector<Figure>> StreamJoin(const BenchOptions& options) {
  testing::StreamHarness harness(1s, {.master = "local[2]"});
  StreamingContext& ssc = harness.context();
  const auto left = ssc.ConstantStream(
      ssc.context().Range(0, kKeys).Map([](int64_t i) { return Pair(LeftKey(i, kKeys), i); }));
  const auto right = ssc.ConstantStream(
      ssc.context().Range(0, kKeys).Map([](int64_t i) { return Pair(RightKey(i, kKeys), i); }));
  JoinTotals totals;
  left.Join(right).ForeachRDD([&totals](const RDD<Joined>& joined) {
    const auto sums = joined.Aggregate(
        JoinTotalsRecord(),
        [](JoinTotalsRecord sum, const Joined& record) {
          ++sum.totals.records;
          sum.totals.sum += record.second.first * record.second.second;
          return sum;
        },
        [](JoinTotalsRecord a, const JoinTotalsRecord& b) {
          a.totals.records += b.totals.records;
          a.totals.sum += b.totals.sum;
          return a;
        });
    if (sums.ok()) totals = sums->totals;
    return sums.status();
  });
  const JoinTotals expected = JoinOnTwoThreads(kKeys);
  const auto medians = MedianSeconds({{"two threads",
                                       [&]() -> absl::StatusOr<double> {
                                         const Stopwatch watch;
                                         if (JoinOnTwoThreads(kKeys) != expected) {
                                           return absl::InternalError("wrong records");
                                         }
                                         return watch.Seconds();
                                       }},
                                      {"local[2]",
                                       [&]() -> absl::StatusOr<double> {
                                         totals = {};
                                         const Stopwatch watch;
                                         if (absl::Status run = harness.RunBatches(1); !run.ok())
                                           return run;
                                         const double seconds = watch.Seconds();
                                         if (totals != expected)
                                           return absl::InternalError("wrong records");
                                         return seconds;
                                       }}},
                                     2 * options.runs);
  if (!medians.ok()) return medians.status();
  const double plain = medians->at(0);
  const double ours = medians->at(1);
  return std::vector<Figure>{
      {plain / ours, absl::StrFormat("plain %.1f ms, Millrace %.1f ms", plain * 1e3, ours * 1e3)}};
}

}  // namespace millrace::bench
