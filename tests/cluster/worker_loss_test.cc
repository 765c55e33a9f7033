// Worker processes that are killed while a program runs: its results stay exact.
#include <fcntl.h>
#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <millrace/log_stream.h>
#include <millrace/log_writer.h>
#include <millrace/testing.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::StreamHarness;

constexpr const char* kCluster = "local-cluster[2,1,512]";
constexpr int kBatches = 6;

// Kills the process that runs it, once for each marker file.
void DieOnce(const std::string& marker) {
  const int fd = open(marker.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return;
  close(fd);
  kill(getpid(), SIGKILL);
}

bool HasDied(const std::string& marker) { return access(marker.c_str(), F_OK) == 0; }

std::vector<std::vector<std::string>> Words() {
  std::vector<std::vector<std::string>> made(kBatches);
  for (int batch = 0; batch < kBatches; ++batch) {
    for (int i = 0; i < 200; ++i) {
      made[static_cast<size_t>(batch)].push_back("w" + std::to_string((i * 7 + batch) % 23));
    }
    if (batch == 3) made[3].emplace_back("fatal");
  }
  return made;
}

using WordCount = std::pair<std::string, int64_t>;

// Ends its worker at the word "fatal", if there is a marker.
DStream<WordCount> PairsThatKill(const DStream<std::string>& words, const std::string& marker) {
  return words.Map(BindFront(
      [](const std::string& file, const std::string& word) {
        if (word == "fatal" && !file.empty()) DieOnce(file);
        return std::pair(word, int64_t{1});
      },
      marker));
}

DStream<WordCount> ThenKill(const DStream<WordCount>& counts, const std::string& marker) {
  return counts.Map(BindFront(
      [](const std::string& file, const WordCount& count) {
        if (count.first == "fatal" && !file.empty()) DieOnce(file);
        return count;
      },
      marker));
}

std::vector<WordCount> Sorted(std::vector<WordCount> batch) {
  std::sort(batch.begin(), batch.end());
  return batch;
}

// Batch by batch, with sorted records. `before` runs before each batch, with its number from 1.
template <class Build>
std::vector<std::vector<WordCount>> RunProgram(const std::string& master, const Build& build,
                                               const std::function<void(int)>& before = nullptr) {
  TempDir directory;
  StreamHarness harness(1s, {.master = master, .checkpoint_dir = directory.path() + "/checkpoint"});
  auto output = harness.Output(build(harness));
  for (int batch = 1; batch <= kBatches; ++batch) {
    if (before != nullptr) before(batch);
    const absl::Status status = harness.RunBatches(1);
    EXPECT_TRUE(status.ok()) << master << ", batch " << batch << ": " << status;
  }
  std::vector<std::vector<WordCount>> sorted;
  for (const auto& batch : output.batches()) sorted.push_back(Sorted(batch));
  return sorted;
}

// The processes of the workers: the pids that a data set's functions see.
std::set<int64_t> PidsOf(StreamHarness& harness) {
  const auto pids = harness.context()
                        .context()
                        .Parallelize(std::vector<int64_t>{1, 2, 3, 4}, 4)
                        .Map([](int64_t) { return static_cast<int64_t>(getpid()); })
                        .Collect();
  EXPECT_TRUE(pids.ok()) << pids.status();
  return pids.ok() ? std::set<int64_t>(pids->begin(), pids->end()) : std::set<int64_t>();
}

class WorkerLossTest : public ::testing::Test {
 protected:
  // `build(harness, marker)` on local[2] without a marker, and on the cluster with one.
  template <class Build>
  void ExpectExact(const Build& build) {
    const auto expected = RunProgram("local[2]", [&](StreamHarness& h) { return build(h, ""); });
    const std::string marker = directory_.path() + "/died";
    const auto seen = RunProgram(kCluster, [&](StreamHarness& h) { return build(h, marker); });
    EXPECT_TRUE(HasDied(marker));
    EXPECT_EQ(seen, expected);
  }

  TempDir directory_;
};

TEST_F(WorkerLossTest, InAMapTask) {
  ExpectExact([](StreamHarness& h, const std::string& marker) {
    return PairsThatKill(h.Input<std::string>(Words(), 4), marker).ReduceByKey(std::plus<>(), 3);
  });
}

TEST_F(WorkerLossTest, InAReduceTask) {
  ExpectExact([](StreamHarness& h, const std::string& marker) {
    return ThenKill(
        PairsThatKill(h.Input<std::string>(Words(), 4), "").ReduceByKey(std::plus<>(), 3), marker);
  });
}

TEST_F(WorkerLossTest, BetweenTwoShuffles) {
  ExpectExact([](StreamHarness& h, const std::string& marker) {
    auto counts = PairsThatKill(h.Input<std::string>(Words(), 4), "").ReduceByKey(std::plus<>(), 3);
    return ThenKill(counts, marker).ReduceByKey(std::plus<>(), 2);
  });
}

TEST_F(WorkerLossTest, InAWindowOfKeptBatches) {
  ExpectExact([](StreamHarness& h, const std::string& marker) {
    auto counts = PairsThatKill(h.Input<std::string>(Words(), 4), "").ReduceByKey(std::plus<>(), 3);
    counts.Persist();
    return ThenKill(counts, marker).Window(3s).ReduceByKey(std::plus<>(), 3);
  });
}

std::optional<int64_t> Sum(const std::string& /*word*/, std::span<const int64_t> values,
                           std::optional<int64_t> sum) {
  return std::accumulate(values.begin(), values.end(), sum.value_or(0));
}

DStream<WordCount> RunningCounts(StreamHarness& h, const std::string& marker,
                                 std::chrono::milliseconds checkpoint_interval) {
  return PairsThatKill(h.Input<std::string>(Words(), 4), marker)
      .UpdateStateByKey<int64_t>(Fn<&Sum>, 3)
      .Checkpoint(checkpoint_interval);
}

TEST_F(WorkerLossTest, BeforeAnUpdateOfStateThatWasNeverSaved) {
  ExpectExact(
      [](StreamHarness& h, const std::string& marker) { return RunningCounts(h, marker, 10s); });
}

TEST_F(WorkerLossTest, BeforeAnUpdateOfStateThatWasSavedTwoBatchesAgo) {
  ExpectExact(
      [](StreamHarness& h, const std::string& marker) { return RunningCounts(h, marker, 2s); });
}

TEST_F(WorkerLossTest, BehindAnUpdateOfStateWhoseOutputIsRead) {
  ExpectExact([](StreamHarness& h, const std::string& marker) {
    return ThenKill(RunningCounts(h, "", 10s), marker);
  });
}

TEST_F(WorkerLossTest, BehindAnUpdateOfStateThatIsBeingSaved) {
  ExpectExact([](StreamHarness& h, const std::string& marker) {
    return ThenKill(RunningCounts(h, "", 1s), marker);
  });
}

TEST_F(WorkerLossTest, InAWindowWithAnInverse) {
  ExpectExact([](StreamHarness& h, const std::string& marker) {
    return PairsThatKill(h.Input<std::string>(Words(), 4), marker)
        .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 3s, 1s, 3);
  });
}

TEST_F(WorkerLossTest, WithStateWhoseKeysTimeOut) {
  for (const auto interval : {10s, 2s}) {
    std::filesystem::remove(directory_.path() + "/died");
    ExpectExact([interval](StreamHarness& h, const std::string& marker) {
      auto words = PairsThatKill(h.Input<std::string>(Words(), 4), marker);
      auto some = words.Filter([](const WordCount& word) { return word.first < "w15"; });
      auto counts =
          some.MapWithState(StateSpec([](const std::string& word, std::optional<int64_t> one,
                                         State<int64_t>& state) -> std::optional<WordCount> {
                              if (state.IsTimingOut())
                                return WordCount(word + " is gone", state.Get());
                              state.Update(state.GetOption().value_or(0) + *one);
                              return WordCount(word, state.Get());
                            })
                                .NumPartitions(3)
                                .Timeout(2s));
      return counts.Checkpoint(interval);
    });
  }
}

TEST_F(WorkerLossTest, WithStateOfWhatAnotherStatePutsOut) {
  for (const auto interval : {10s, 2s}) {
    std::filesystem::remove(directory_.path() + "/died");
    ExpectExact([interval](StreamHarness& h, const std::string& marker) {
      return ThenKill(RunningCounts(h, "", interval), marker)
          .UpdateStateByKey<int64_t>(Fn<&Sum>, 2)
          .Checkpoint(interval);
    });
  }
}

// Whoever has the state now dies before each batch but the first.
template <class Build>
void ExpectExactWhileWorkersDie(const Build& build) {
  const auto expected = RunProgram("local[2]", build);
  TempDir directory;
  StreamHarness harness(1s, {.master = kCluster, .checkpoint_dir = directory.path() + "/state"});
  auto output = harness.Output(build(harness));
  std::vector<std::vector<WordCount>> seen;
  for (int batch = 1; batch <= kBatches; ++batch) {
    const absl::Status status = harness.RunBatches(1);
    ASSERT_TRUE(status.ok()) << "batch " << batch << ": " << status;
    for (const int64_t pid : PidsOf(harness)) {
      kill(static_cast<pid_t>(pid), SIGKILL);
      if (batch % 2 == 0) break;
    }
  }
  for (const auto& batch : output.batches()) seen.push_back(Sorted(batch));
  EXPECT_EQ(seen, expected);
}

TEST_F(WorkerLossTest, BetweenUpdatesOfStateAgainAndAgain) {
  ExpectExactWhileWorkersDie([](StreamHarness& h) { return RunningCounts(h, "", 2s); });
}

// Of a state that is much larger than what changes in a batch only that is saved. Keys go, too.
TEST_F(WorkerLossTest, BetweenUpdatesOfStateWhoseChangesAreSaved) {
  ExpectExactWhileWorkersDie([](StreamHarness& h) {
    std::vector<WordCount> steady;
    for (int64_t i = 0; i < 300; ++i) steady.emplace_back("steady " + std::to_string(i), 0);
    return PairsThatKill(h.Input<std::string>(Words(), 4), "")
        .UpdateStateByKey<int64_t>(
            [](const std::string& word, std::span<const int64_t> values,
               std::optional<int64_t> sum) -> std::optional<int64_t> {
              if (sum.value_or(0) + static_cast<int64_t>(values.size()) > 26) return std::nullopt;
              return Sum(word, values, sum);
            },
            3, h.context().context().Parallelize(std::move(steady)))
        .Checkpoint(1s);
  });
}

TEST_F(WorkerLossTest, InAJoin) {
  ExpectExact([](StreamHarness& h, const std::string& marker) {
    auto counts =
        PairsThatKill(h.Input<std::string>(Words(), 4), marker).ReduceByKey(std::plus<>(), 4);
    auto others = PairsThatKill(h.Input<std::string>(Words(), 2), "").ReduceByKey(std::plus<>(), 3);
    return counts.Join(others, 5).MapValues(
        [](const std::pair<int64_t, int64_t>& both) { return both.first * 1000 + both.second; });
  });
}

TEST_F(WorkerLossTest, BetweenBatchesOfALogAgainAndAgain) {
  const std::string log = directory_.path() + "/log";
  const auto append = [&log](int batch) {
    const std::vector<std::string> words = Words()[static_cast<size_t>(batch) - 1];
    for (int partition = 0; partition < 3; ++partition) {
      auto writer = LogWriter::Open(log, partition);
      ASSERT_TRUE(writer.ok()) << writer.status();
      ASSERT_TRUE(writer->AppendAll(words).ok());
    }
  };
  const auto build = [&log](StreamHarness& h) {
    return LogStream(h.context(), log)
        .Map([](std::string_view word) { return std::pair(std::string(word), int64_t{1}); })
        .ReduceByKeyAndWindow(std::plus<>(), 3s, 1s, 4);
  };
  for (int batch = 1; batch <= kBatches; ++batch) append(batch);
  const Conf one_batch_at_a_time = Conf().Set("millrace.streaming.log.maxRatePerPartition", "200");
  const auto run = [&](const std::string& master, bool kills) {
    StreamHarness harness(1s, {.master = master, .conf = one_batch_at_a_time});
    auto output = harness.Output(build(harness));
    std::vector<std::vector<WordCount>> sorted;
    for (int batch = 1; batch <= kBatches + 3; ++batch) {
      const absl::Status status = harness.RunBatches(1);
      EXPECT_TRUE(status.ok()) << master << ", batch " << batch << ": " << status;
      if (kills && batch % 2 == 0) kill(static_cast<pid_t>(*PidsOf(harness).begin()), SIGKILL);
    }
    for (const auto& batch : output.batches()) sorted.push_back(Sorted(batch));
    return sorted;
  };
  EXPECT_EQ(run(kCluster, true), run("local[2]", false));
}

TEST_F(WorkerLossTest, ItsPlaceIsTaken) {
  StreamHarness harness(1s, {.master = kCluster});
  harness.Input<int64_t>({{1}}).Print();
  const std::set<int64_t> before = PidsOf(harness);
  ASSERT_EQ(before.size(), 2u);
  kill(static_cast<pid_t>(*before.begin()), SIGKILL);
  std::set<int64_t> after;
  do {
    after = PidsOf(harness);
  } while (after.size() < 2 || after.contains(*before.begin()));
  EXPECT_TRUE(after.contains(*before.rbegin()));
}

TEST_F(WorkerLossTest, AFrozenWorkerIsReplaced) {
  StreamHarness harness(1s,
                        {.master = kCluster, .conf = Conf().Set("millrace.network.timeout", "2s")});
  harness.Input<int64_t>({{1}}).Print();
  const std::set<int64_t> before = PidsOf(harness);
  ASSERT_EQ(before.size(), 2u);
  kill(static_cast<pid_t>(*before.begin()), SIGSTOP);
  siginfo_t stopped{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(*before.begin()), &stopped, WSTOPPED | WNOWAIT), 0);
  const std::set<int64_t> after = PidsOf(harness);
  EXPECT_FALSE(after.contains(*before.begin()));
}

TEST_F(WorkerLossTest, AProgramThatKillsEveryWorkerFailsAndSaysSo) {
  Context context(Conf().SetMaster(kCluster));
  const auto failed = context.Parallelize(std::vector<int64_t>{1}, 1)
                          .Map([](int64_t x) {
                            kill(getpid(), SIGKILL);
                            return x;
                          })
                          .Collect();
  EXPECT_THAT(failed.status().ToString(), ::testing::HasSubstr("4 workers were lost"));
  const auto fine = context.Parallelize(std::vector<int64_t>{1}, 1).Collect();
  EXPECT_TRUE(fine.ok()) << fine.status();
}

// Stores numbers in blocks, once, and tells the test when they are safe: by the file `told`, which
// has the process's number. Started again elsewhere it has nothing more.
class StoreOnce : public Receiver<int64_t> {
 public:
  static constexpr int64_t kBlocks = 5;
  static constexpr int64_t kRecords = 100;  // Of each block.

  explicit StoreOnce(std::string told) : told_(std::move(told)) {}

  void OnStart() override {
    thread_ = std::thread([this] { Run(); });
  }
  void OnStop() override { thread_.join(); }

 private:
  void Run() {
    if (access(told_.c_str(), F_OK) == 0) return;
    for (int64_t block = 0; block < kBlocks; ++block) {
      std::vector<int64_t> numbers(kRecords);
      std::iota(numbers.begin(), numbers.end(), block * kRecords);
      // The other worker may not be known yet, but it will be.
      if (!Store(numbers).ok()) return;
    }
    std::ofstream(told_ + ".new") << getpid();
    std::filesystem::rename(told_ + ".new", told_);
  }

  const std::string told_;
  std::thread thread_;
};

// Waits for a file to appear in the directory.
void AwaitFile(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  const int watch = inotify_init1(IN_CLOEXEC);
  ASSERT_GE(inotify_add_watch(watch, directory.c_str(), IN_MOVED_TO), 0);
  while (access(path.c_str(), F_OK) != 0) {
    char events[4096];
    ASSERT_GT(read(watch, events, sizeof events), 0);
  }
  close(watch);
}

std::vector<int64_t> AllNumbers() {
  std::vector<int64_t> numbers(StoreOnce::kBlocks * StoreOnce::kRecords);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

std::vector<int64_t> SortedUnion(const std::vector<std::vector<int64_t>>& batches) {
  std::vector<int64_t> all;
  for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  std::sort(all.begin(), all.end());
  return all;
}

TEST_F(WorkerLossTest, BlocksWithASecondCopySurviveTheWorkerThatReceivedThem) {
  StreamHarness harness(1s, {.master = kCluster});
  auto numbers =
      harness.Output(harness.context().ReceiverStream<StoreOnce>(directory_.path() + "/told"));
  ASSERT_TRUE(harness.context().Start().ok());
  AwaitFile(directory_.path(), "told");
  pid_t receiving = 0;
  std::ifstream(directory_.path() + "/told") >> receiving;
  kill(receiving, SIGKILL);
  while (SortedUnion(numbers.batches()).size() < AllNumbers().size()) {
    ASSERT_TRUE(harness.RunBatches(1).ok());
  }
  EXPECT_EQ(SortedUnion(numbers.batches()), AllNumbers());
}

TEST_F(WorkerLossTest, BlocksInABatchThatHasBegunSurviveToo) {
  const std::string marker = directory_.path() + "/died";
  StreamHarness harness(1s, {.master = kCluster});
  auto numbers = harness.Output(harness.context()
                                    .ReceiverStream<StoreOnce>(directory_.path() + "/told")
                                    .Map(BindFront(
                                        [](const std::string& file, int64_t number) {
                                          if (number == 250) DieOnce(file);
                                          return number;
                                        },
                                        marker)));
  ASSERT_TRUE(harness.context().Start().ok());
  AwaitFile(directory_.path(), "told");
  while (SortedUnion(numbers.batches()).size() < AllNumbers().size()) {
    ASSERT_TRUE(harness.RunBatches(1).ok());
  }
  EXPECT_TRUE(HasDied(marker));
  EXPECT_EQ(SortedUnion(numbers.batches()), AllNumbers());
}

// Hears a line of the log of this process.
class LogListener : public google::LogSink {
 public:
  explicit LogListener(std::string part) : part_(std::move(part)) {
    FLAGS_minloglevel = google::GLOG_INFO;
    google::AddLogSink(this);
  }
  ~LogListener() override {
    google::RemoveLogSink(this);
    FLAGS_minloglevel = google::GLOG_WARNING;
  }
  void send(google::LogSeverity /*severity*/, const char* /*path*/, const char* /*file*/,
            int /*line*/, const google::LogMessageTime& /*time*/, const char* message,
            size_t size) override {
    const absl::MutexLock lock(&mutex_);
    if (std::string_view(message, size).find(part_) != std::string_view::npos) heard_ = true;
  }
  bool Await() {
    const absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&heard_), absl::Seconds(30));
  }

 private:
  const std::string part_;
  absl::Mutex mutex_;
  bool heard_ = false;
};

// First the worker that received them, and when another one has copied them, the one that had the
// second copy.
TEST_F(WorkerLossTest, BlocksGetANewSecondCopyWhenOneIsLost) {
  LogListener copied("5 received blocks have a second copy again");
  StreamHarness harness(1s, {.master = kCluster});
  auto numbers =
      harness.Output(harness.context().ReceiverStream<StoreOnce>(directory_.path() + "/told"));
  ASSERT_TRUE(harness.context().Start().ok());
  AwaitFile(directory_.path(), "told");
  std::set<int64_t> first = PidsOf(harness);
  pid_t receiving = 0;
  std::ifstream(directory_.path() + "/told") >> receiving;
  kill(receiving, SIGKILL);
  ASSERT_TRUE(copied.Await());
  first.erase(receiving);
  ASSERT_EQ(first.size(), 1u);
  kill(static_cast<pid_t>(*first.begin()), SIGKILL);
  while (SortedUnion(numbers.batches()).size() < AllNumbers().size()) {
    const absl::Status status = harness.RunBatches(1);
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(SortedUnion(numbers.batches()), AllNumbers());
}

// The batches that the state was made of are read once more.
TEST_F(WorkerLossTest, StateOfReceivedBlocksSurvives) {
  StreamHarness harness(1s,
                        {.master = kCluster, .checkpoint_dir = directory_.path() + "/checkpoint"});
  auto counts = harness.Output(
      harness.context()
          .ReceiverStream<StoreOnce>(directory_.path() + "/told")
          .Map([](int64_t number) { return std::pair(std::to_string(number % 7), int64_t{1}); })
          .UpdateStateByKey<int64_t>(Fn<&Sum>, 3));
  const auto total = [&] {
    int64_t sum = 0;
    for (const WordCount& count : counts.batches().back()) sum += count.second;
    return sum;
  };
  ASSERT_TRUE(harness.context().Start().ok());
  AwaitFile(directory_.path(), "told");
  const int64_t all = std::ssize(AllNumbers());
  do {
    ASSERT_TRUE(harness.RunBatches(1).ok());
  } while (total() < all);
  ASSERT_TRUE(harness.RunBatches(3).ok());
  const std::set<int64_t> pids = PidsOf(harness);
  kill(static_cast<pid_t>(*pids.begin()), SIGKILL);
  for (int batch = 0; batch < 2; ++batch) {
    const absl::Status status = harness.RunBatches(1);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(total(), all);
  }
}

}  // namespace
}  // namespace millrace
