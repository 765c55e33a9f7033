// A window without inverse function: what a slide costs for a short window and a long one.
#include <millrace/testing.h>

#include "absl/strings/str_format.h"
#include "tests/bench/plain/running_count.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kKeys = 10'000;
constexpr int64_t kRecords = 50'000;
// Long enough for every turn of the longest window to come.
constexpr int kTimedBatches = 100;

using Numbers = RDD<std::pair<int64_t, int64_t>>;

// The mean: a slide now and then that is dear would not show in a median.
absl::StatusOr<double> MeanSlideSeconds(int window_batches) {
  testing::StreamHarness harness(1s, {.master = "local[2]"});
  StreamingContext& ssc = harness.context();
  int64_t keys = 0;
  ssc.ConstantStream(ssc.context().Range(0, kRecords).Map([](int64_t i) {
       return std::pair(KeyOfUpdate(i, kKeys), i);
     }))
      .ReduceByKeyAndWindow([](int64_t a, int64_t b) { return std::max(a, b); },
                            window_batches * 1s, 1s)
      .ForeachRDD([&keys](const Numbers& maxima) {
        const auto count = maxima.Count();
        if (count.ok()) keys = *count;
        return count.status();
      });
  if (absl::Status filled = harness.RunBatches(window_batches + 1); !filled.ok()) return filled;
  const Stopwatch watch;
  if (absl::Status run = harness.RunBatches(kTimedBatches); !run.ok()) return run;
  const double seconds = watch.Seconds() / kTimedBatches;
  if (keys != kKeys) return absl::InternalError("wrong number of keys");
  return seconds;
}

}  // namespace

absl::StatusOr<std::vector<Figure>> WindowLength(const BenchOptions& options) {
  const auto medians = MedianSeconds({{"10 batches", [] { return MeanSlideSeconds(10); }},
                                      {"100 batches", [] { return MeanSlideSeconds(100); }}},
                                     options.runs);
  if (!medians.ok()) return medians.status();
  const double few = medians->at(0) * 1e3;
  const double many = medians->at(1) * 1e3;
  return std::vector<Figure>{
      {many / few, absl::StrFormat("window of 10: %.2f ms a slide, of 100: %.2f ms", few, many)}};
}

}  // namespace millrace::bench
