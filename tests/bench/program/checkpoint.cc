// What it costs that another driver can go on: metadata for each batch, and changed state.
#include <millrace/log_stream.h>
#include <millrace/log_writer.h>
#include <millrace/testing.h>

#include <chrono>
#include <map>
#include <optional>
#include <thread>

#include "absl/strings/str_format.h"
#include "common/fs/local_file_system.h"
#include "driver/checkpoint/checkpoint_store.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/program/temporary_directory.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

using namespace std::chrono_literals;

// -- State ---------------------------------------------------------------------------------------

constexpr int64_t kKeys = 1'000'000;
constexpr int64_t kChanged = 10'000;
constexpr int kStateBatches = 100;
// A key and its state, 64 bits each.
constexpr double kChangedBytes = static_cast<double>(kChanged) * 16;

using Pair = std::pair<int64_t, int64_t>;

// Counters of all keys, of which each batch counts up others; all are saved with every batch.
class SavedCounters {
 public:
  explicit SavedCounters(const std::string& directory)
      : harness_(1s, {.master = "local[2]", .checkpoint_dir = directory}) {
    StreamingContext& ssc = harness_.context();
    const Context& context = ssc.context();
    const auto initial = context.Range(0, kKeys).Map([](int64_t key) { return Pair(key, 0); });
    const auto counts =
        ssc.ConstantStream(context.Range(0, kChanged))
            .Transform([this](const RDD<int64_t>& numbers) {
              const int64_t first = kChanged * batches_++;
              return numbers.Map(BindFront(
                  [](int64_t from, int64_t i) { return Pair((from + i) % kKeys, 1); }, first));
            })
            .MapWithState(
                StateSpec([](int64_t key, std::optional<int64_t> one, State<int64_t>& count) {
                  count.Update(count.GetOption().value_or(0) + one.value_or(0));
                  return Pair(key, count.Get());
                }).InitialState(initial))
            .Checkpoint(1s);
    counts.ForeachRDD([this](const RDD<Pair>& seen) {
      const auto count = seen.Count();
      if (count.ok()) seen_ = *count;
      return count.status();
    });
  }

  absl::StatusOr<double> RunBatch() {
    const Stopwatch watch;
    if (absl::Status run = harness_.RunBatches(1); !run.ok()) return run;
    const double seconds = watch.Seconds();
    if (seen_ != kChanged) return absl::InternalError("wrong counts");
    return seconds;
  }

 private:
  testing::StreamHarness harness_;
  int64_t batches_ = 0;
  int64_t seen_ = 0;
};

// The bytes of the newest directory of state, which was saved as of `time_ms`, and of the
// checkpoint that names it.
absl::StatusOr<int64_t> BytesSaved(const std::string& directory, int64_t time_ms) {
  LocalFileSystem fs;
  const auto latest = internal::CheckpointStore(fs, directory).ReadLatest();
  if (!latest.ok()) return latest.status();
  if (!latest->has_value() || (*latest)->states_size() != 1 ||
      (*latest)->states(0).saved().empty() ||
      (*latest)->states(0).saved().rbegin()->time_ms() != time_ms) {
    return absl::InternalError(absl::StrFormat("the state of batch %d ms was not saved", time_ms));
  }
  return (*latest)->states(0).saved().rbegin()->bytes() +
         static_cast<int64_t>((*latest)->ByteSizeLong());
}

// -- Metadata ------------------------------------------------------------------------------------

constexpr std::chrono::milliseconds kInterval = 100ms;
constexpr int kPacedBatches = 100;

// Batches of a log, one every 100 ms of real time.
class PacedBatches {
 public:
  PacedBatches(const std::string& log, const std::string& checkpoint_dir)
      : log_(log), harness_(kInterval, {.master = "local[2]", .checkpoint_dir = checkpoint_dir}) {
    LogStream(harness_.context(), log_)
        .Map([](std::string_view word) { return std::pair(word, int64_t{1}); })
        .ReduceByKey(std::plus<>())
        .ForeachRDD([](const RDD<std::pair<std::string_view, int64_t>>& sums) {
          return sums.Count().status();
        });
  }

  // From the clock's tick until the batch and what is written for it are over.
  absl::StatusOr<std::vector<double>> Run(int batches) {
    std::vector<double> seconds;
    auto next = std::chrono::steady_clock::now();
    for (int i = 0; i < batches; ++i) {
      auto writer = LogWriter::Open(log_, 0);
      if (!writer.ok()) return writer.status();
      if (absl::Status written = writer->AppendAll({"some", "words"}); !written.ok()) {
        return written;
      }
      std::this_thread::sleep_until(next += kInterval);
      const Stopwatch watch;
      if (absl::Status run = harness_.RunBatches(1); !run.ok()) return run;
      seconds.push_back(watch.Seconds());
    }
    return seconds;
  }

 private:
  const std::string log_;
  testing::StreamHarness harness_;
};

}  // namespace

absl::StatusOr<std::vector<Figure>> SavedState(const BenchOptions& /*options*/) {
  const TemporaryDirectory directory;
  SavedCounters counters(directory.path());
  int64_t bytes = 0;
  std::vector<double> seconds;
  for (int batch = 1; batch <= kStateBatches; ++batch) {
    const absl::StatusOr<double> took = counters.RunBatch();
    if (!took.ok()) return took.status();
    seconds.push_back(*took);
    const absl::StatusOr<int64_t> saved = BytesSaved(directory.path(), batch * 1000);
    if (!saved.ok()) return saved.status();
    bytes += *saved;
  }
  const double per_batch = static_cast<double>(bytes) / kStateBatches;
  return std::vector<Figure>{
      {per_batch / kChangedBytes,
       absl::StrFormat("%.0f kB a batch; a batch %.1f ms, with all keys %.0f ms", per_batch * 1e-3,
                       Median(seconds) * 1e3, seconds.front() * 1e3)}};
}

absl::StatusOr<std::vector<Figure>> CheckpointCost(const BenchOptions& /*options*/) {
  const TemporaryDirectory directory;
  // One process has one active context: one stream runs after the other, in turns.
  std::vector<double> without;
  std::vector<double> with;
  for (int turn = 0; turn < 2; ++turn) {
    for (const bool writes : {false, true}) {
      PacedBatches batches(absl::StrFormat("%s/log-%d-%d", directory.path(), turn, writes),
                           writes ? directory.path() + "/checkpoint" : "");
      auto seconds = batches.Run(kPacedBatches);
      if (!seconds.ok()) return seconds.status();
      std::vector<double>& all = writes ? with : without;
      all.insert(all.end(), seconds->begin(), seconds->end());
    }
  }
  const double cost_ms = (Median(with) - Median(without)) * 1e3;
  return std::vector<Figure>{{cost_ms, absl::StrFormat("a batch %.2f ms, without %.2f ms",
                                                       Median(with) * 1e3, Median(without) * 1e3)}};
}

}  // namespace millrace::bench
