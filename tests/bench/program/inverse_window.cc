// Words counted over a window that is kept up to date by what leaves it and what comes.
#include <millrace/testing.h>

#include "absl/strings/str_format.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/program/temporary_directory.h"
#include "tests/bench/program/word_totals_record.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kWindowBatches = 10;

using Counts = RDD<std::pair<std::string_view, int64_t>>;

// Counts the words of a file in each batch, or in each window of batches.
class WordStream {
 public:
  WordStream(const std::string& path, bool windowed, const std::string& checkpoint_dir)
      : harness_(1s, {.master = "local[2]", .checkpoint_dir = checkpoint_dir}) {
    StreamingContext& ssc = harness_.context();
    const auto pairs = ssc.ConstantStream(ssc.context().TextFile(path))
                           .FlatMap([](std::string_view line) { return Split(line, ' '); })
                           .Map([](std::string_view word) { return std::pair(word, int64_t{1}); });
    const auto sum_up = [this](const auto& counts) {
      const auto totals = counts.Aggregate(WordTotalsRecord(), AddWord(), MergeTotals());
      if (totals.ok()) totals_ = totals->totals;
      return totals.status();
    };
    if (windowed) {
      pairs.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), kWindowBatches * 1s, 1s)
          .ForeachRDD(sum_up);
    } else {
      pairs.ReduceByKey(std::plus<>()).ForeachRDD(sum_up);
    }
  }

  absl::StatusOr<double> RunBatch(int64_t expected_words) {
    const Stopwatch watch;
    if (absl::Status run = harness_.RunBatches(1); !run.ok()) return run;
    const double seconds = watch.Seconds();
    if (totals_.words != expected_words) return absl::InternalError("wrong counts");
    return seconds;
  }
  absl::Status RunBatches(int n) { return harness_.RunBatches(n); }

 private:
  testing::StreamHarness harness_;
  WordTotals totals_;
};

}  // namespace

absl::StatusOr<std::vector<Figure>> InverseWindow(const BenchOptions& options) {
  const absl::StatusOr<std::string> path = BenchText(options.text_bytes / 4);
  if (!path.ok()) return path.status();
  const absl::StatusOr<WordTotals> expected = CountWordsMapped(*path);
  if (!expected.ok()) return expected.status();
  const TemporaryDirectory checkpoints;
  // One process has one active context: one stream runs after the other, in turns.
  std::vector<double> batch_seconds;
  std::vector<double> window_seconds;
  for (int turn = 0; turn < 2; ++turn) {
    {
      WordStream batches(*path, /*windowed=*/false, "");
      for (int i = -1; i < options.runs; ++i) {
        const absl::StatusOr<double> seconds = batches.RunBatch(expected->words);
        if (!seconds.ok()) return seconds.status();
        if (i >= 0) batch_seconds.push_back(*seconds);
      }
    }
    WordStream windows(*path, /*windowed=*/true, checkpoints.path());
    // Until batches leave the window, too.
    if (absl::Status filled = windows.RunBatches(kWindowBatches); !filled.ok()) return filled;
    for (int i = 0; i < options.runs; ++i) {
      const absl::StatusOr<double> seconds = windows.RunBatch(kWindowBatches * expected->words);
      if (!seconds.ok()) return seconds.status();
      window_seconds.push_back(*seconds);
    }
  }
  const double batch = Median(batch_seconds);
  const double window = Median(window_seconds);
  return std::vector<Figure>{
      {window / batch,
       absl::StrFormat("a batch of %d MiB %.1f ms, with the window %.1f ms",
                       static_cast<int>(options.text_bytes / 4 >> 20), batch * 1e3, window * 1e3)}};
}

}  // namespace millrace::bench
