// The network word count at full speed.
#include <millrace/millrace.h>

#include <mutex>

#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "tests/bench/plain/socket_word_count.h"
#include "tests/bench/plain/text_server.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/program/temporary_directory.h"
#include "tests/bench/program/word_totals_record.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBatchInterval{200};
constexpr absl::Duration kTimeout = absl::Minutes(2);

using PlainCount = absl::StatusOr<WordTotals> (*)(int port, absl::FunctionRef<void()> connected);

absl::StatusOr<double> TimePlain(PlainCount count, TextServer& server, const WordTotals& expected) {
  std::optional<Stopwatch> watch;
  absl::Status released;
  const absl::StatusOr<WordTotals> totals = count(server.port(), [&] {
    released = server.AwaitConnection();
    watch.emplace();
    released.Update(server.Release());
  });
  if (!totals.ok()) return totals.status();
  if (!released.ok()) return released;
  const double seconds = watch->Seconds();
  if (*totals != expected) return absl::InternalError("wrong counts");
  return seconds;
}

// What the batches come to, and when they have come to all of the text. Distinct words are counted
// once a batch, so they do not count here.
class AllBatches {
 public:
  explicit AllBatches(const WordTotals& expected) : expected_(expected) {}

  void Add(const WordTotals& batch) {
    const std::lock_guard lock(mutex_);
    sum_.words += batch.words;
    sum_.checksum += batch.checksum;
    // Empty batches follow the last one.
    if (sum_.words == expected_.words && !all_.HasBeenNotified()) all_.Notify();
  }
  bool AwaitAll() const { return all_.WaitForNotificationWithTimeout(kTimeout); }
  bool IsRight() const {
    const std::lock_guard lock(mutex_);
    return sum_.words == expected_.words && sum_.checksum == expected_.checksum;
  }

 private:
  const WordTotals expected_;
  mutable std::mutex mutex_;
  WordTotals sum_;
  absl::Notification all_;
};

// `log_directory`: of checkpoints and of the receiver's log; empty: neither.
absl::StatusOr<double> TimeMillrace(TextServer& server, const WordTotals& expected,
                                    const std::string& master, StorageLevel level,
                                    const std::string& log_directory = "") {
  AllBatches batches(expected);
  // The end of the text is the end: a second connection would be served the text of the next run.
  StreamingContext ssc(Conf()
                           .SetAppName("NetworkWordCount")
                           .SetMaster(master)
                           .Set("millrace.streaming.receiver.writeAheadLog.enable",
                                log_directory.empty() ? "false" : "true")
                           .Set("millrace.streaming.receiverRestartDelay", "1h"),
                       kBatchInterval);
  if (!log_directory.empty()) ssc.Checkpoint(log_directory);
  ssc.SocketTextStream("127.0.0.1", server.port(), level)
      .FlatMap([](std::string_view line) { return Split(line, ' '); })
      .Map([](std::string_view word) { return std::pair(word, int64_t{1}); })
      .ReduceByKey(std::plus<>())
      .ForeachRDD([&batches](const RDD<std::pair<std::string_view, int64_t>>& counts) {
        const auto totals = counts.Aggregate(WordTotalsRecord(), AddWord(), MergeTotals());
        if (totals.ok()) batches.Add(totals->totals);
        return totals.status();
      });
  if (absl::Status started = ssc.Start(); !started.ok()) return started;
  if (absl::Status connected = server.AwaitConnection(); !connected.ok()) return connected;
  const Stopwatch watch;
  if (absl::Status released = server.Release(); !released.ok()) return released;
  const bool all = batches.AwaitAll();
  const double seconds = watch.Seconds();
  ssc.Stop({.graceful = false, .stop_context = true});
  if (!all) return absl::DeadlineExceededError("not all of the text was counted");
  if (!batches.IsRight()) return absl::InternalError("wrong counts");
  return seconds;
}

// A text for the server, and what its words come to.
struct ServedText {
  TextServer server;
  WordTotals expected;
  double mebibytes;
};

absl::StatusOr<ServedText> Serve(int64_t bytes) {
  const absl::StatusOr<std::string> path = BenchText(bytes);
  if (!path.ok()) return path.status();
  const absl::StatusOr<WordTotals> expected = CountWordsMapped(*path);
  if (!expected.ok()) return expected.status();
  absl::StatusOr<TextServer> server = TextServer::Start(*path);
  if (!server.ok()) return server.status();
  return ServedText{*std::move(server), *expected, static_cast<double>(bytes) / (1 << 20)};
}

}  // namespace

absl::StatusOr<std::vector<Figure>> NetworkWordCount(const BenchOptions& options) {
  absl::StatusOr<ServedText> text = Serve(4 * options.text_bytes);
  if (!text.ok()) return text.status();
  TextServer& server = text->server;
  const auto medians = MedianSeconds(
      {{"one thread", [&] { return TimePlain(CountWordsOfSocket, server, text->expected); }},
       {"two threads",
        [&] { return TimePlain(CountWordsOfSocketOnTwoThreads, server, text->expected); }},
       {"local[2]",
        [&] {
          return TimeMillrace(server, text->expected, "local[2]", StorageLevel::kMemoryAndDisk);
        }}},
      options.runs);
  if (!medians.ok()) return medians.status();
  const double mib = text->mebibytes;
  const double plain = std::min(medians->at(0), medians->at(1));
  const double ours = medians->at(2);
  return std::vector<Figure>{
      {plain / ours,
       absl::StrFormat("plain %.0f MiB/s (one thread %.0f, two %.0f), Millrace %.0f", mib / plain,
                       mib / medians->at(0), mib / medians->at(1), mib / ours)}};
}

absl::StatusOr<std::vector<Figure>> LoggedWordCount(const BenchOptions& options) {
  absl::StatusOr<ServedText> text = Serve(4 * options.text_bytes);
  if (!text.ok()) return text.status();
  const auto run = [&text](const std::string& log_directory) {
    return TimeMillrace(text->server, text->expected, "local[2]", StorageLevel::kMemoryAndDisk,
                        log_directory);
  };
  const auto medians = MedianSeconds({{"without", [&] { return run(""); }},
                                      {"with the log",
                                       [&] {
                                         const TemporaryDirectory directory;
                                         return run(directory.path());
                                       }}},
                                     options.runs);
  if (!medians.ok()) return medians.status();
  return std::vector<Figure>{
      {medians->at(0) / medians->at(1),
       absl::StrFormat("without %.0f MiB/s, with %.0f", text->mebibytes / medians->at(0),
                       text->mebibytes / medians->at(1))}};
}

absl::StatusOr<std::vector<Figure>> ClusterWordCount(const BenchOptions& options) {
  absl::StatusOr<ServedText> text = Serve(4 * options.text_bytes);
  if (!text.ok()) return text.status();
  const auto run = [&](const char* name, const char* master, StorageLevel level) {
    return Contender{name, [&text, master, level] {
                       return TimeMillrace(text->server, text->expected, master, level);
                     }};
  };
  constexpr const char* kTwoWorkers = "local-cluster[2,1,2048]";
  const auto medians =
      MedianSeconds({run("local[2]", "local[2]", StorageLevel::kMemoryAndDisk),
                     run("two workers", kTwoWorkers, StorageLevel::kMemoryAndDisk),
                     run("two workers, two copies", kTwoWorkers, StorageLevel::kMemoryAndDisk2)},
                    options.runs);
  if (!medians.ok()) return medians.status();
  const double local = medians->at(0);
  const auto detail = [&](double seconds) {
    return absl::StrFormat("local[2] %.0f MiB/s, cluster %.0f", text->mebibytes / local,
                           text->mebibytes / seconds);
  };
  return std::vector<Figure>{{local / medians->at(1), detail(medians->at(1))},
                             {local / medians->at(2), detail(medians->at(2))}};
}

}  // namespace millrace::bench
