// How long a record takes from the socket to the output.
#include <millrace/millrace.h>

#include <charconv>
#include <mutex>
#include <thread>

#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/time/system_clock.h"
#include "tests/bench/plain/paced_sender.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBatchInterval{1};
constexpr int64_t kRecordsPerSecond = 1000;
constexpr int64_t kKeys = 100;

using KeyAndNanos = std::pair<int64_t, int64_t>;

absl::StatusOr<KeyAndNanos> Parse(std::string_view line) {
  KeyAndNanos record;
  const char* const end = line.data() + line.size();
  const auto key = std::from_chars(line.data(), end, record.first);
  if (key.ec == std::errc() && key.ptr != end) {
    const auto nanos = std::from_chars(key.ptr + 1, end, record.second);
    if (nanos.ec == std::errc() && nanos.ptr == end) return record;
  }
  return absl::InvalidArgumentError("no line of KEY NANOS");
}

// The records that came out, with how long each took.
class Arrivals {
 public:
  explicit Arrivals(int64_t expected) : expected_(static_cast<size_t>(expected)) {
    millis_.reserve(expected_);
  }

  void Add(const std::vector<std::pair<int64_t, std::vector<int64_t>>>& groups) {
    const int64_t now_ns = MonotonicNanos();
    const std::lock_guard lock(mutex_);
    for (const auto& [key, sent] : groups) {
      for (const int64_t sent_ns : sent) {
        millis_.push_back(static_cast<double>(now_ns - sent_ns) * 1e-6);
      }
    }
    if (millis_.size() == expected_) all_.Notify();
  }
  bool AwaitAll(absl::Duration timeout) const {
    return all_.WaitForNotificationWithTimeout(timeout);
  }
  std::vector<double> millis() const {
    const std::lock_guard lock(mutex_);
    return millis_;
  }

 private:
  const size_t expected_;
  mutable std::mutex mutex_;
  std::vector<double> millis_;
  absl::Notification all_;
};

}  // namespace

absl::StatusOr<std::vector<Figure>> RecordLatency(const BenchOptions& options) {
  const int64_t records = options.latency_seconds * kRecordsPerSecond;
  absl::StatusOr<PacedSender> sender = PacedSender::Listen();
  if (!sender.ok()) return sender.status();
  Arrivals arrivals(records);
  StreamingContext ssc(Conf().SetAppName("RecordLatency").SetMaster("local[2]"), kBatchInterval);
  ssc.SocketTextStream("127.0.0.1", sender->port())
      .Map(Fn<&Parse>)
      .GroupByKey()
      .ForeachRDD([&](const RDD<std::pair<int64_t, std::vector<int64_t>>>& groups) {
        const auto collected = groups.Collect();
        if (collected.ok()) arrivals.Add(*collected);
        return collected.status();
      });
  if (absl::Status started = ssc.Start(); !started.ok()) return started;
  absl::Status sent;
  std::thread sending([&] { sent = sender->Send(records, kRecordsPerSecond, kKeys); });
  const bool all = arrivals.AwaitAll(absl::Seconds(2 * options.latency_seconds + 10));
  ssc.Stop({.graceful = false, .stop_context = true});
  sending.join();
  if (!sent.ok()) return sent;
  if (!all) return absl::DeadlineExceededError("not all records came out in twice their time");

  const std::vector<double> millis = arrivals.millis();
  const auto tenth = static_cast<std::ptrdiff_t>(millis.size() / 10);
  const double first = Median({millis.begin(), millis.begin() + tenth});
  const double last = Median({millis.end() - tenth, millis.end()});
  const std::string detail = absl::StrFormat("%d records; 999 of 1,000 %.2f ms, at most %.2f ms",
                                             records, Quantile(millis, 0.999), Quantile(millis, 1));
  return std::vector<Figure>{{Median(millis), detail},
                             {Quantile(millis, 0.99), ""},
                             {last / first, absl::StrFormat("%.2f ms, then %.2f ms", first, last)}};
}

}  // namespace millrace::bench
