// The ten most frequent words of a sliding window, against counting the words of a batch alone.
#include <millrace/testing.h>

#include "absl/strings/str_format.h"
#include "tests/bench/plain/word_count.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kWindowBatches = 30;

using Count = std::pair<std::string_view, int64_t>;
using OwnedCount = std::pair<std::string, int64_t>;

struct ByCount {
  bool operator()(const Count& a, const Count& b) const { return a.second < b.second; }
};

class Words {
 public:
  Words(const std::string& path, bool windowed) : harness_(1s, {.master = "local[2]"}) {
    StreamingContext& ssc = harness_.context();
    const auto pairs = ssc.ConstantStream(ssc.context().TextFile(path))
                           .FlatMap([](std::string_view line) { return Split(line, ' '); })
                           .Map([](std::string_view word) { return Count(word, 1); });
    if (windowed) {
      pairs.ReduceByKeyAndWindow(std::plus<>(), kWindowBatches * 1s, 1s)
          .ForeachRDD([this](const RDD<Count>& counts) {
            auto top = counts.Top(10, ByCount());
            if (!top.ok()) return top.status();
            top_ = *std::move(top);
            return absl::OkStatus();
          });
    } else {
      pairs.ReduceByKey(std::plus<>()).ForeachRDD([this](const RDD<Count>& counts) {
        const auto count = counts.Count();
        if (count.ok()) distinct_ = *count;
        return count.status();
      });
    }
  }

  absl::Status Run(int batches) { return harness_.RunBatches(batches); }
  // Mean seconds of a batch.
  absl::StatusOr<double> Time(int batches) {
    const Stopwatch watch;
    if (absl::Status run = Run(batches); !run.ok()) return run;
    return watch.Seconds() / batches;
  }
  const std::vector<OwnedCount>& top() const { return top_; }
  int64_t distinct() const { return distinct_; }

 private:
  testing::StreamHarness harness_;
  std::vector<OwnedCount> top_;
  int64_t distinct_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Figure>> TopWords(const BenchOptions& options) {
  const absl::StatusOr<std::string> path = BenchText(options.text_bytes / 16);
  if (!path.ok()) return path.status();
  const absl::StatusOr<WordTotals> expected = CountWordsMapped(*path);
  if (!expected.ok()) return expected.status();
  const auto medians = MedianSeconds(
      {{"word count",
        [&]() -> absl::StatusOr<double> {
          Words words(*path, /*windowed=*/false);
          if (absl::Status run = words.Run(2); !run.ok()) return run;
          absl::StatusOr<double> seconds = words.Time(kWindowBatches);
          if (words.distinct() != expected->distinct) return absl::InternalError("wrong counts");
          return seconds;
        }},
       {"top words",
        [&]() -> absl::StatusOr<double> {
          Words words(*path, /*windowed=*/true);
          if (absl::Status run = words.Run(kWindowBatches + 1); !run.ok()) return run;
          absl::StatusOr<double> seconds = words.Time(kWindowBatches);
          if (words.top().size() != 10 || words.top()[0].second % kWindowBatches != 0) {
            return absl::InternalError("wrong counts");
          }
          return seconds;
        }}},
      std::max(1, options.runs / 2));
  if (!medians.ok()) return medians.status();
  const double alone = medians->at(0) * 1e3;
  const double top = medians->at(1) * 1e3;
  return std::vector<Figure>{
      {top / alone, absl::StrFormat("a batch of %d MiB: counts alone %.1f ms, top words %.1f ms",
                                    static_cast<int>(options.text_bytes / 16 >> 20), alone, top)}};
}

}  // namespace millrace::bench
