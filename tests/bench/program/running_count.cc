// MapWithState over many keys.
#include "tests/bench/plain/running_count.h"

#include <millrace/testing.h>

#include <numeric>
#include <optional>
#include <span>

#include "absl/strings/str_format.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/program/temporary_directory.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kKeys = 1'000'000;
constexpr int64_t kFewUpdates = 1'000;

using Updates = RDD<std::pair<int64_t, int64_t>>;

Updates MakeUpdates(const Context& context, int64_t updates) {
  return context.Range(0, updates).Map([](int64_t i) {
    return std::pair(KeyOfUpdate(i, kKeys), int64_t{1});
  });
}

absl::Status SumUp(const Updates& counts, int64_t& total) {
  const auto sum =
      counts.Map([](const std::pair<int64_t, int64_t>& count) { return count.second; }).Sum();
  if (sum.ok()) total = *sum;
  return sum.status();
}

// One counter for each key, kept by MapWithState. Batches have all updates, or few.
class CountingStream {
 public:
  explicit CountingStream(const std::string& checkpoint_dir)
      : harness_(1s, {.master = "local[2]", .checkpoint_dir = checkpoint_dir}),
        all_(MakeUpdates(harness_.context().context(), kKeys)),
        few_(MakeUpdates(harness_.context().context(), kFewUpdates)) {
    harness_.context()
        .ConstantStream(all_)
        .Transform([this](const Updates& all) { return wants_all_ ? all : few_; })
        .MapWithState(StateSpec([](int64_t key, std::optional<int64_t> one, State<int64_t>& count) {
          const int64_t sum = count.GetOption().value_or(0) + one.value_or(0);
          count.Update(sum);
          return std::pair(key, sum);
        }))
        .ForeachRDD([this](const Updates& counts) { return SumUp(counts, sum_); });
  }

  // The seconds of one batch. Each key of it must have been seen once more than before.
  absl::StatusOr<double> RunBatch(bool all) {
    wants_all_ = all;
    (all ? all_batches_ : few_batches_) += 1;
    const Stopwatch watch;
    if (absl::Status run = harness_.RunBatches(1); !run.ok()) return run;
    const double seconds = watch.Seconds();
    const int64_t both = std::min(kFewUpdates, kKeys) * (all_batches_ + few_batches_);
    const int64_t expected = all ? both + (kKeys - kFewUpdates) * all_batches_ : both;
    if (sum_ != expected) return absl::InternalError("wrong counts");
    return seconds;
  }

 private:
  testing::StreamHarness harness_;
  const Updates all_;
  const Updates few_;
  bool wants_all_ = true;
  int64_t all_batches_ = 0;
  int64_t few_batches_ = 0;
  int64_t sum_ = 0;
};

// The same with UpdateStateByKey, whose function sees every key in every batch.
class UpdatedStream {
 public:
  explicit UpdatedStream(const std::string& checkpoint_dir)
      : harness_(1s, {.master = "local[1]", .checkpoint_dir = checkpoint_dir}) {
    StreamingContext& ssc = harness_.context();
    ssc.ConstantStream(MakeUpdates(ssc.context(), kKeys))
        .UpdateStateByKey<int64_t>(
            [](int64_t /*key*/, std::span<const int64_t> ones, std::optional<int64_t> count) {
              return std::optional(std::accumulate(ones.begin(), ones.end(), count.value_or(0)));
            })
        .ForeachRDD([this](const Updates& counts) { return SumUp(counts, sum_); });
  }

  absl::StatusOr<double> RunBatch() {
    const Stopwatch watch;
    if (absl::Status run = harness_.RunBatches(1); !run.ok()) return run;
    const double seconds = watch.Seconds();
    if (sum_ != kKeys * ++batches_) return absl::InternalError("wrong counts");
    return seconds;
  }

 private:
  testing::StreamHarness harness_;
  int64_t sum_ = 0;
  int64_t batches_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Figure>> UpdatedState(const BenchOptions& options) {
  const TemporaryDirectory checkpoints;
  UpdatedStream stream(checkpoints.path());
  RunningCounts counts;
  int64_t batches = 0;
  const auto medians = MedianSeconds({{"loop",
                                       [&]() -> absl::StatusOr<double> {
                                         const Stopwatch watch;
                                         CountUpdates(kKeys, kKeys, counts);
                                         const int64_t sum = SumOf(counts);
                                         const double seconds = watch.Seconds();
                                         if (sum != kKeys * ++batches)
                                           return absl::InternalError("wrong counts");
                                         return seconds;
                                       }},
                                      {"local[1]", [&] { return stream.RunBatch(); }}},
                                     2 * options.runs);
  if (!medians.ok()) return medians.status();
  const double plain = medians->at(0);
  const double ours = medians->at(1);
  return std::vector<Figure>{
      {plain / ours, absl::StrFormat("plain %.1f ms, Millrace %.1f ms", plain * 1e3, ours * 1e3)}};
}

absl::StatusOr<std::vector<Figure>> RunningCount(const BenchOptions& options) {
  const TemporaryDirectory checkpoints;
  CountingStream stream(checkpoints.path());
  RunningCounts counts;
  int64_t sum = 0;
  const auto medians =
      MedianSeconds({{"loop",
                      [&]() -> absl::StatusOr<double> {
                        const Stopwatch watch;
                        CountUpdates(kKeys, kKeys, counts);
                        const double seconds = watch.Seconds();
                        if (counts.size() != kKeys || counts.begin()->second <= sum) {
                          return absl::InternalError("wrong counts");
                        }
                        sum = counts.begin()->second;
                        return seconds;
                      }},
                     {"all keys", [&] { return stream.RunBatch(/*all=*/true); }},
                     {"few keys", [&] { return stream.RunBatch(/*all=*/false); }}},
                    4 * options.runs);
  if (!medians.ok()) return medians.status();
  const double plain = medians->at(0);
  const double all = medians->at(1);
  const double few = medians->at(2);
  return std::vector<Figure>{
      {plain / all, absl::StrFormat("plain %.1f ms, Millrace %.1f ms", plain * 1e3, all * 1e3)},
      {100 * few / all, absl::StrFormat("%.3f ms of %.1f ms", few * 1e3, all * 1e3)}};
}

}  // namespace millrace::bench
