// What the death of a worker process costs a running stream.
#include <millrace/millrace.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/program/temporary_directory.h"

namespace millrace::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kBatchInterval = 100ms;
constexpr const char* kTwoWorkers = "local-cluster[2,1,2048]";
constexpr int64_t kKeys = 1'000'000;
constexpr int64_t kUpdates = 10'000;  // A batch.

// The processes of the two workers.
absl::StatusOr<std::vector<int64_t>> WorkerPids(const Context& context) {
  return context.Parallelize(std::vector<int64_t>{0, 1}, 2)
      .Map([](int64_t) { return static_cast<int64_t>(::getpid()); })
      .Collect();
}

// When outputs came.
class Outputs {
 public:
  void Came() {
    const absl::MutexLock lock(&mutex_);
    const double now = watch_.Seconds();
    longest_gap_ = std::max(longest_gap_, now - last_);
    last_ = now;
    ++count_;
  }
  // From here on.
  void Restart() {
    const absl::MutexLock lock(&mutex_);
    longest_gap_ = 0;
  }
  double longest_gap() const {
    const absl::MutexLock lock(&mutex_);
    return longest_gap_;
  }
  // Waits until there are so many more.
  bool Await(int more) const {
    const absl::MutexLock lock(&mutex_);
    const int until = count_ + more;
    const auto is_there = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return count_ >= until; };
    return mutex_.AwaitWithTimeout(absl::Condition(&is_there), absl::Minutes(1));
  }

 private:
  Stopwatch watch_;
  mutable absl::Mutex mutex_;
  double last_ ABSL_GUARDED_BY(mutex_) = 0;
  double longest_gap_ ABSL_GUARDED_BY(mutex_) = 0;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Numbers from 0 on. What was stored safely is in the file; another receiver goes on behind it, so
// numbers may come twice, but none is left out.
class SafeNumbers : public Receiver<int64_t> {
 public:
  static constexpr int64_t kStored = 100;  // At once.

  explicit SafeNumbers(std::string file) : file_(std::move(file)) {}
  void OnStart() override {
    thread_ = std::thread([this] { Run(); });
  }
  void OnStop() override { thread_.join(); }

 private:
  void Run() {
    int64_t next = 0;
    std::ifstream(file_) >> next;
    while (!IsStopped()) {
      std::vector<int64_t> numbers(kStored);
      std::iota(numbers.begin(), numbers.end(), next);
      if (!Store(numbers).ok()) return;
      next += kStored;
      std::ofstream(file_ + ".new") << next << " " << ::getpid();
      std::rename((file_ + ".new").c_str(), file_.c_str());
      std::this_thread::sleep_for(1ms);
    }
  }

  const std::string file_;
  std::thread thread_;
};

std::pair<int64_t, int64_t> Running(int64_t key, std::optional<int64_t> one,
                                    State<int64_t>& count) {
  count.Update(count.GetOption().value_or(0) + one.value_or(0));
  return {key, count.Get()};
}

absl::Status KillOne(int64_t pid) {
  if (::kill(static_cast<pid_t>(pid), SIGKILL) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "cannot kill a worker");
}

}  // namespace

// The worker whose receiver takes numbers in is killed.
absl::StatusOr<std::vector<Figure>> WorkerKill(const BenchOptions& /*options*/) {
  const TemporaryDirectory directory;
  const std::string stored = directory.path() + "/stored";
  Outputs outputs;
  absl::Mutex mutex;
  std::set<int64_t> seen;
  int64_t twice = 0;
  StreamingContext ssc(Conf().SetAppName("WorkerKill").SetMaster(kTwoWorkers), kBatchInterval);
  ssc.ReceiverStream<SafeNumbers>(stored).ForeachRDD([&](const RDD<int64_t>& numbers) {
    const auto collected = numbers.Collect();
    if (!collected.ok()) return collected.status();
    outputs.Came();
    const absl::MutexLock lock(&mutex);
    for (const int64_t number : *collected) twice += seen.insert(number).second ? 0 : 1;
    return absl::OkStatus();
  });
  if (absl::Status started = ssc.Start(); !started.ok()) return started;
  if (!outputs.Await(30)) return absl::DeadlineExceededError("no outputs");
  int64_t pid = 0;
  int64_t next = 0;
  std::ifstream(stored) >> next >> pid;
  outputs.Restart();
  if (absl::Status killed = KillOne(pid); !killed.ok()) return killed;
  if (!outputs.Await(80)) return absl::DeadlineExceededError("no outputs after the kill");
  const double gap = outputs.longest_gap();
  ssc.Stop({.graceful = true, .stop_context = true});
  std::ifstream(stored) >> next;
  const absl::MutexLock lock(&mutex);
  if (std::ssize(seen) < next || *seen.rbegin() + 1 != std::ssize(seen)) {
    return absl::DataLossError(
        absl::StrFormat("%d numbers were stored safely, %d came out", next, std::ssize(seen)));
  }
  return std::vector<Figure>{
      {gap, absl::StrFormat("%d numbers, none lost, %d that were not yet acknowledged came twice",
                            std::ssize(seen), twice)}};
}

// A million counters, of which each batch moves 10,000 on.
absl::StatusOr<std::vector<Figure>> StateKill(const BenchOptions& /*options*/) {
  const TemporaryDirectory directory;
  Outputs outputs;
  std::atomic<int64_t> wrong = 0;
  std::atomic<int64_t> batches = 0;
  StreamingContext ssc(Conf().SetAppName("StateKill").SetMaster(kTwoWorkers), kBatchInterval);
  ssc.Checkpoint(directory.path());
  const auto ones = [&](int64_t keys) {
    return ssc.context().Range(0, keys).Map([](int64_t key) { return std::pair(key, int64_t{1}); });
  };
  const auto all = ones(kKeys);
  const auto few = ones(kUpdates);
  bool is_first = true;
  ssc.ConstantStream(few)
      .Transform([&](const RDD<std::pair<int64_t, int64_t>>& updates) {
        return std::exchange(is_first, false) ? all : updates;
      })
      .MapWithState(StateSpec(Fn<&Running>).NumPartitions(2))
      .ForeachRDD([&](const RDD<std::pair<int64_t, int64_t>>& counts) {
        const auto sum =
            counts.Map([](const std::pair<int64_t, int64_t>& count) { return count.second; }).Sum();
        if (!sum.ok()) return sum.status();
        const int64_t batch = ++batches;
        if (*sum != (batch == 1 ? kKeys : batch * kUpdates)) ++wrong;
        outputs.Came();
        return absl::OkStatus();
      });
  if (absl::Status started = ssc.Start(); !started.ok()) return started;
  // Behind the first checkpoint of the state and half of the way to the next.
  if (!outputs.Await(150)) return absl::DeadlineExceededError("no outputs");
  const auto pids = WorkerPids(ssc.context());
  if (!pids.ok()) return pids.status();
  outputs.Restart();
  if (absl::Status killed = KillOne(pids->at(0)); !killed.ok()) return killed;
  if (!outputs.Await(80)) return absl::DeadlineExceededError("no outputs after the kill");
  const double gap = outputs.longest_gap();
  ssc.Stop({.graceful = true, .stop_context = true});
  if (wrong > 0) return absl::InternalError(absl::StrFormat("%d batches are wrong", wrong.load()));
  return std::vector<Figure>{{gap, absl::StrFormat("%d batches, every sum right", batches.load())}};
}

}  // namespace millrace::bench
