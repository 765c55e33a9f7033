// Batch jobs over a text file.
#include <millrace/millrace.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/plain/grep.h"
#include "tests/bench/plain/word_count.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/program/word_totals_record.h"
#include "tests/bench/report/contest.h"
#include "tests/bench/text/text_generator.h"

namespace millrace::bench {
namespace {

// Neither frequent nor rare: in about one line of 200.
constexpr char kGrepWord[] = "ing";

absl::StatusOr<double> TimeWordCount(const Context& context, const std::string& path,
                                     const WordTotals& expected) {
  const Stopwatch watch;
  const auto totals = context.TextFile(path)
                          .FlatMap([](std::string_view line) { return Split(line, ' '); })
                          .Map([](std::string_view word) { return std::pair(word, int64_t{1}); })
                          .ReduceByKey(std::plus<>())
                          .Aggregate(WordTotalsRecord(), AddWord(), MergeTotals());
  if (!totals.ok()) return totals.status();
  const double seconds = watch.Seconds();
  if (totals->totals != expected) return absl::InternalError("wrong counts");
  return seconds;
}

Contender PlainWordCount(const char* name,
                         absl::StatusOr<WordTotals> (*count)(const std::string& path),
                         const std::string& path, const WordTotals& expected) {
  return {name, [=]() -> absl::StatusOr<double> {
            const Stopwatch watch;
            const absl::StatusOr<WordTotals> totals = count(path);
            const double seconds = watch.Seconds();
            if (!totals.ok()) return totals.status();
            if (*totals != expected) return absl::InternalError("wrong counts");
            return seconds;
          }};
}

absl::StatusOr<double> TimeGrep(const Context& context, const std::string& path, int64_t expected) {
  const Stopwatch watch;
  const auto lines = context.TextFile(path)
                         .Filter([](std::string_view line) { return Contains(line, kGrepWord); })
                         .Count();
  if (!lines.ok()) return lines.status();
  if (*lines != expected) return absl::InternalError("wrong number of lines");
  return watch.Seconds();
}

Contender PlainGrep(const char* name,
                    absl::StatusOr<int64_t> (*count)(const std::string& path,
                                                     std::string_view word),
                    const std::string& path, int64_t expected) {
  return {name, [=]() -> absl::StatusOr<double> {
            const Stopwatch watch;
            const absl::StatusOr<int64_t> lines = count(path, kGrepWord);
            if (!lines.ok()) return lines.status();
            if (*lines != expected) return absl::InternalError("wrong number of lines");
            return watch.Seconds();
          }};
}

Figure SpeedAgainstPlain(double plain, double ours) {
  return {plain / ours, absl::StrFormat("plain %.3f s, Millrace %.3f s", plain, ours)};
}

}  // namespace

absl::StatusOr<std::string> BenchText(int64_t bytes) { return TextFile(BENCH_DATA_DIR, bytes); }

absl::StatusOr<std::vector<Figure>> FileWordCount(const BenchOptions& options) {
  const absl::StatusOr<std::string> path = BenchText(options.text_bytes);
  if (!path.ok()) return path.status();
  const absl::StatusOr<WordTotals> expected = CountWordsMapped(*path);
  if (!expected.ok()) return expected.status();
  const Context one(Conf().SetAppName("FileWordCount").SetMaster("local[1]"));
  const Context two(Conf().SetAppName("FileWordCount").SetMaster("local[2]"));
  const auto medians =
      MedianSeconds({PlainWordCount("mapped", CountWordsMapped, *path, *expected),
                     PlainWordCount("read", CountWordsRead, *path, *expected),
                     {"local[1]", [&] { return TimeWordCount(one, *path, *expected); }},
                     {"local[2]", [&] { return TimeWordCount(two, *path, *expected); }}},
                    options.runs);
  if (!medians.ok()) return medians.status();
  const double plain = std::min(medians->at(0), medians->at(1));
  return std::vector<Figure>{SpeedAgainstPlain(plain, medians->at(2)),
                             SpeedAgainstPlain(plain, medians->at(3))};
}

absl::StatusOr<std::vector<Figure>> FileGrep(const BenchOptions& options) {
  const absl::StatusOr<std::string> path = BenchText(options.text_bytes);
  if (!path.ok()) return path.status();
  const absl::StatusOr<int64_t> expected = CountLinesMapped(*path, kGrepWord);
  if (!expected.ok()) return expected.status();
  const Context context(Conf().SetAppName("FileGrep").SetMaster("local[1]"));
  const auto medians =
      MedianSeconds({PlainGrep("mapped", CountLinesMapped, *path, *expected),
                     PlainGrep("read", CountLinesRead, *path, *expected),
                     {"local[1]", [&] { return TimeGrep(context, *path, *expected); }}},
                    options.runs);
  if (!medians.ok()) return medians.status();
  return std::vector<Figure>{
      SpeedAgainstPlain(std::min(medians->at(0), medians->at(1)), medians->at(2))};
}

}  // namespace millrace::bench
