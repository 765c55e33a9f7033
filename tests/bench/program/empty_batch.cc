// What a batch costs that has nothing to do.
#include <millrace/testing.h>

#include <mutex>

#include "absl/strings/str_format.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kWarmUpBatches = 500;
constexpr int kBatches = 5000;

// The driver's own view of how long a batch took.
class ProcessingTimes : public StreamingListener {
 public:
  void OnBatchCompleted(const BatchInfo& batch) override {
    const std::lock_guard lock(mutex_);
    micros_.push_back(static_cast<double>(batch.precise_processing_delay.count()));
  }
  double MedianMicros() const {
    const std::lock_guard lock(mutex_);
    return Median(micros_);
  }

 private:
  mutable std::mutex mutex_;
  std::vector<double> micros_;
};

// From the clock's tick until the caller sees the batch completed: with the two hand-overs between
// the caller's thread and the driver's.
struct EmptyBatches {
  double median_micros = 0;
  double slow_micros = 0;  // 99 of 100 are faster.
  double by_driver_micros = 0;
};

absl::StatusOr<EmptyBatches> TimeEmptyBatches(const char* master) {
  testing::StreamHarness harness(1s, {.master = master});
  harness.Input<std::pair<int64_t, int64_t>>({}, /*partitions=*/2)
      .ReduceByKey(std::plus<>())
      .ForeachRDD(
          [](const RDD<std::pair<int64_t, int64_t>>& sums) { return sums.Count().status(); });
  const auto times = std::make_shared<ProcessingTimes>();
  harness.context().AddStreamingListener(times);
  std::vector<double> micros;
  for (int i = -kWarmUpBatches; i < kBatches; ++i) {
    const Stopwatch watch;
    if (absl::Status run = harness.RunBatches(1); !run.ok()) return run;
    if (i >= 0) micros.push_back(watch.Seconds() * 1e6);
  }
  return EmptyBatches{Median(micros), Quantile(micros, 0.99), times->MedianMicros()};
}

}  // namespace

absl::StatusOr<std::vector<Figure>> EmptyBatch(const BenchOptions& /*options*/) {
  const absl::StatusOr<EmptyBatches> times = TimeEmptyBatches("local[2]");
  if (!times.ok()) return times.status();
  return std::vector<Figure>{
      {times->median_micros, absl::StrFormat("99 of 100 %.0f us; by the driver's own clock %.0f us",
                                             times->slow_micros, times->by_driver_micros)}};
}

absl::StatusOr<std::vector<Figure>> ClusterEmptyBatch(const BenchOptions& /*options*/) {
  const absl::StatusOr<EmptyBatches> times = TimeEmptyBatches("local-cluster[2,1,512]");
  if (!times.ok()) return times.status();
  return std::vector<Figure>{
      {times->median_micros,
       absl::StrFormat("by the driver's own clock %.0f us", times->by_driver_micros)},
      {times->slow_micros * 1e-3, ""}};
}

}  // namespace millrace::bench
