// What a receiver has logged outlives the driver and the workers, in the batches that had it or in
// the first that comes.
#include <millrace/testing.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/dstream/stream_graph.h"
#include "client/local/streaming_core.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/blocked_checkpoints.h"
#include "tests/support/temp_dir.h"

namespace millrace::testing {
namespace {

namespace stdfs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class Fed;

// The receiver that runs, for the test to feed.
struct Current {
  absl::Mutex mutex;
  Fed* receiver ABSL_GUARDED_BY(mutex) = nullptr;
};
Current& Running() {
  static Current& current = *new Current;
  return current;
}

class Fed : public Receiver<int64_t> {
 public:
  void OnStart() override { Set(this); }
  void OnStop() override { Set(nullptr); }

 private:
  static void Set(Fed* receiver) {
    const absl::MutexLock lock(&Running().mutex);
    Running().receiver = receiver;
  }
};

// Returns when the records are safe.
absl::Status Feed(const std::vector<int64_t>& records) {
  const auto runs = []() ABSL_EXCLUSIVE_LOCKS_REQUIRED(Running().mutex) {
    return Running().receiver != nullptr;
  };
  const absl::MutexLock lock(&Running().mutex);
  if (!Running().mutex.AwaitWithTimeout(absl::Condition(&runs), absl::Seconds(60))) {
    return absl::DeadlineExceededError("no receiver runs");
  }
  return Running().receiver->Store(records);
}

int64_t Sum(const std::vector<std::vector<int64_t>>& batches) {
  int64_t sum = 0;
  for (const auto& batch : batches) {
    for (const int64_t value : batch) sum += value;
  }
  return sum;
}

std::vector<int64_t> Sorted(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  return values;
}

class ReceiverLogTest : public ::testing::Test {
 protected:
  StreamHarness::Options Options() const {
    StreamHarness::Options options;
    options.checkpoint_dir = directory_.path();
    options.conf.Set("millrace.streaming.receiver.writeAheadLog.enable", "true");
    for (const auto& [key, value] : settings_) options.conf.Set(key, value);
    return options;
  }
  int CountLogs() const {
    int count = 0;
    for (const auto& entry : stdfs::recursive_directory_iterator(directory_.path())) {
      if (entry.path().filename().string().starts_with("log-")) ++count;
    }
    return count;
  }

  const TempDir directory_;
  std::vector<std::pair<std::string, std::string>> settings_;
};

TEST_F(ReceiverLogTest, WhatNoBatchHasHadIsInTheFirstOneOfTheNextDriver) {
  StreamHarness h(1s, Options());
  auto out = h.Output(h.context().ReceiverStream<Fed>());
  ASSERT_TRUE(h.RunBatches(1).ok());
  ASSERT_TRUE(Feed({1, 2}).ok());
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_THAT(Sorted(out.batches().back()), ElementsAre(1, 2));
  ASSERT_TRUE(Feed({3}).ok());
  ASSERT_TRUE(Feed({4, 5}).ok());
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_THAT(Sorted(out.batches().back()), ElementsAre(3, 4, 5));
  // And once.
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(Feed({6}).ok());
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(Sum(out.batches()), 1 + 2 + 3 + 4 + 5 + 6);
}

TEST_F(ReceiverLogTest, WithoutALogWhatNoBatchHasHadGoesWithTheDriver) {
  settings_.emplace_back("millrace.streaming.receiver.writeAheadLog.enable", "false");
  StreamHarness h(1s, Options());
  auto out = h.Output(h.context().ReceiverStream<Fed>());
  ASSERT_TRUE(h.RunBatches(1).ok());
  ASSERT_TRUE(Feed({1, 2}).ok());
  ASSERT_TRUE(h.RunBatches(1).ok());
  ASSERT_TRUE(Feed({3}).ok());
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(Feed({4}).ok());
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(Sum(out.batches()), 1 + 2 + 4) << "and nothing comes twice";
}

TEST_F(ReceiverLogTest, WhatWasStoredBeforeTheFirstBatchIsNotLost) {
  StreamHarness h(1s, Options());
  auto out = h.Output(h.context().ReceiverStream<Fed>());
  ASSERT_TRUE(h.context().Start().ok());
  ASSERT_TRUE(Feed({1, 2, 3}).ok());
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(Sum(out.batches()), 6);
}

TEST_F(ReceiverLogTest, WindowsReadTheBatchesOfEarlierDrivers) {
  StreamHarness h(1s, Options());
  auto out = h.Output(h.context().ReceiverStream<Fed>().Window(3s));
  for (int64_t i = 1; i <= 6; ++i) {
    ASSERT_TRUE(h.RunBatches(i == 1 ? 1 : 0).ok());
    ASSERT_TRUE(Feed({i}).ok());
    if (i > 1) {
      ASSERT_TRUE(h.RestartDriver().ok());
    }
    ASSERT_TRUE(h.RunBatches(1).ok());
    std::vector<int64_t> expected;
    for (int64_t j = std::max<int64_t>(1, i - 2); j <= i; ++j) expected.push_back(j);
    EXPECT_EQ(Sorted(out.batches().back()), expected) << i;
  }
}

TEST_F(ReceiverLogTest, StateCountsEachRecordOnce) {
  StreamHarness h(1s, Options());
  auto sums = h.context()
                  .ReceiverStream<Fed>()
                  .Map([](int64_t value) { return std::pair(value % 2, value); })
                  .UpdateStateByKey<int64_t>(
                      [](int64_t, std::span<const int64_t> values, std::optional<int64_t> sum) {
                        for (const int64_t value : values) sum = sum.value_or(0) + value;
                        return sum;
                      });
  auto out = h.Output(sums);
  ASSERT_TRUE(h.RunBatches(1).ok());
  for (int64_t i = 1; i <= 25; ++i) {
    ASSERT_TRUE(Feed({2 * i, 2 * i + 1}).ok());
    if (i % 4 == 0) {
      ASSERT_TRUE(h.RestartDriver().ok());
    }
    if (i % 3 != 0) {
      ASSERT_TRUE(h.RunBatches(1).ok());
    }
  }
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_THAT(out.batches().back(),
              UnorderedElementsAre(std::pair<int64_t, int64_t>(0, 25 * 26),
                                   std::pair<int64_t, int64_t>(1, 25 * 26 + 25)));
}

// On the clock of the machine, as another process would have it.
TEST_F(ReceiverLogTest, WhatWasLoggedIsReadByAProgramThatLogsNoMore) {
  {
    StreamHarness h(100ms, Options());
    auto out = h.Output(h.context().ReceiverStream<Fed>());
    ASSERT_TRUE(h.context().Start().ok());
    ASSERT_TRUE(Feed({1, 2}).ok());
  }
  settings_.emplace_back("millrace.streaming.receiver.writeAheadLog.enable", "false");
  absl::Mutex mutex;
  std::vector<int64_t> seen;
  auto ssc = StreamingContext::GetOrCreate(directory_.path(), [&] {
    Conf conf = Options().conf;
    StreamingContext context(conf.SetMaster("local[2]"), 100ms);
    context.Checkpoint(directory_.path());
    context.ReceiverStream<Fed>().ForeachRDD([&](const RDD<int64_t>& rdd) -> absl::Status {
      const auto records = rdd.Collect();
      if (!records.ok()) return records.status();
      const absl::MutexLock lock(&mutex);
      seen.insert(seen.end(), records->begin(), records->end());
      return absl::OkStatus();
    });
    return context;
  });
  ASSERT_TRUE(ssc.ok()) << ssc.status();
  ASSERT_TRUE(ssc->Start().ok());
  const auto has_all = [&seen] { return seen.size() >= 2; };
  {
    const absl::MutexLock lock(&mutex);
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&has_all), absl::Seconds(60)));
  }
  ssc->Stop({.graceful = true, .stop_context = true});
  EXPECT_THAT(Sorted(seen), ElementsAre(1, 2));
}

TEST_F(ReceiverLogTest, LogsThatNoBatchNeedsAreRemoved) {
  settings_.emplace_back("millrace.streaming.receiver.writeAheadLog.closeFileAfterWrite", "true");
  StreamHarness h(1s, Options());
  auto out = h.Output(h.context().ReceiverStream<Fed>());
  ASSERT_TRUE(h.RunBatches(1).ok());
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(Feed({1}).ok());
    if (i % 5 == 4) {
      ASSERT_TRUE(h.RestartDriver().ok());
    }
    ASSERT_TRUE(h.RunBatches(1).ok());
  }
  EXPECT_EQ(Sum(out.batches()), 12);
  EXPECT_LE(CountLogs(), 8);
  // Those of earlier drivers as well.
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(Feed({1}).ok());
    ASSERT_TRUE(h.RunBatches(1).ok());
  }
  int directories = 0;
  for (const auto& entry :
       stdfs::recursive_directory_iterator(directory_.path() + "/receivedData")) {
    if (entry.is_directory()) ++directories;
  }
  EXPECT_EQ(directories, 3 /* runs */ + 2 /* the last one's stream and start */);
}

TEST_F(ReceiverLogTest, ABatchWhoseBlocksCannotBeNotedFailsAndTheNextOneHasThem) {
  StreamHarness h(1s, Options());
  auto out = h.Output(h.context().ReceiverStream<Fed>());
  ASSERT_TRUE(h.RunBatches(1).ok());
  ASSERT_TRUE(Feed({1}).ok());
  std::optional<BlockedCheckpoints> blocked(std::in_place, directory_.path());
  const absl::Status failed = h.RunBatches(1);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("batch 2000 ms"));
  EXPECT_THAT(std::string(failed.message()), HasSubstr("the next batch has its input"));
  EXPECT_EQ(Sum(out.batches()), 0);
  blocked.reset();
  ASSERT_TRUE(Feed({2}).ok());
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_THAT(Sorted(out.batches().back()), ElementsAre(1, 2));
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(Sum(out.batches()), 3);
}

// Somebody may have seen what was made of it: what is received behind that must not come into it.
TEST_F(ReceiverLogTest, ABatchWithoutBlocksIsNotedToo) {
  StreamHarness h(1s, Options());
  auto out = h.Output(h.context().ReceiverStream<Fed>());
  internal::StreamGraph& graph = *h.context().core().graph();
  ASSERT_TRUE(graph.Start().ok());
  ASSERT_TRUE(graph.ReadEarlierLogs(/*recovers=*/false).ok());
  graph.BeginAfter(Time(0));
  ASSERT_TRUE(graph.GenerateJobs(Time(1000), {}).ok());
  graph.Restart();
  const auto from = graph.Recover();
  ASSERT_TRUE(from.ok() && from->has_value()) << from.status();
  EXPECT_EQ((*from)->last_time, Time(1000));
}

// A driver that is killed while it makes batches once more: the next one has all of them.
TEST_F(ReceiverLogTest, BatchesThatAreMadeOnceMoreKeepWhatTheyHad) {
  StreamHarness h(1s, Options());
  auto out = h.Output(h.context().ReceiverStream<Fed>());
  internal::StreamGraph& graph = *h.context().core().graph();
  ASSERT_TRUE(graph.Start().ok());
  ASSERT_TRUE(graph.ReadEarlierLogs(/*recovers=*/false).ok());
  const internal::ReceiverSpec receiver = graph.Receivers().at(0);
  const std::string log =
      receiver.log->directory + "/" + std::to_string(receiver.first_sequence >> 32);
  stdfs::create_directories(log);
  std::ofstream(log + "/log-00000001").close();  // Nobody reads what is in it.
  const auto block = [&](int64_t number) {
    internal::ReceivedBlock received;
    received.id = {receiver.stream_id, receiver.first_sequence + number};
    received.log_place = internal::BlockLogPlace{log, 1, number, 1};
    return received;
  };
  graph.BeginAfter(Time(0));
  for (int64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(graph.GenerateJobs(Time(1000 * i), {{receiver.stream_id, {block(i)}}}).ok());
  }
  for (int driver = 0; driver < 3; ++driver) {
    graph.Restart();
    const auto from = graph.Recover();
    ASSERT_TRUE(from.ok() && from->has_value()) << from.status();
    EXPECT_EQ((*from)->completed_time, Time(0));
    EXPECT_EQ((*from)->last_time, Time(3000));
    const auto recovered = graph.ReadEarlierLogs(/*recovers=*/true);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    ASSERT_EQ(recovered->batches.size(), 3u);
    for (const auto& [time, blocks] : recovered->batches) {
      ASSERT_EQ(blocks.at(receiver.stream_id).size(), 1u);
      EXPECT_EQ(blocks.at(receiver.stream_id)[0].id.sequence,
                receiver.first_sequence + time.ms() / 1000);
    }
    // It comes no further than this.
    ASSERT_TRUE(graph.GenerateJobs(Time(1000), recovered->batches.at(Time(1000))).ok());
    graph.WriteCheckpoint();
  }
}

TEST_F(ReceiverLogTest, ACorruptLogIsNamedAndLeftAlone) {
  StreamHarness h(1s, Options());
  auto out = h.Output(h.context().ReceiverStream<Fed>());
  ASSERT_TRUE(h.RunBatches(1).ok());
  ASSERT_TRUE(Feed({1}).ok());
  ASSERT_TRUE(Feed({2}).ok());
  std::string log;
  for (const auto& entry : stdfs::recursive_directory_iterator(directory_.path())) {
    if (entry.path().filename().string().starts_with("log-")) log = entry.path();
  }
  ASSERT_FALSE(log.empty());
  {
    std::FILE* const file = std::fopen(log.c_str(), "r+");
    ASSERT_NE(file, nullptr);
    std::fseek(file, 40, SEEK_SET);
    std::fputc('x', file);
    std::fclose(file);
  }
  const auto size = stdfs::file_size(log);
  const absl::Status restarted = h.RestartDriver();
  EXPECT_EQ(restarted.code(), absl::StatusCode::kDataLoss) << restarted;
  EXPECT_THAT(std::string(restarted.message()), HasSubstr(log));
  EXPECT_THAT(std::string(restarted.message()), HasSubstr("offset 24"));
  EXPECT_GE(stdfs::file_size(log), size);
}

TEST_F(ReceiverLogTest, AMissingLogIsNamedUnlessItsRecordsMayBeLost) {
  settings_ = {{"millrace.streaming.receiver.writeAheadLog.closeFileAfterWrite", "true"}};
  for (const bool may_lose : {false, true}) {
    const TempDir directory;
    StreamHarness::Options options = Options();
    options.checkpoint_dir = directory.path();
    options.conf.Set("millrace.streaming.checkpoint.allowStateLoss", may_lose ? "true" : "false");
    StreamHarness h(1s, options);
    auto out = h.Output(h.context().ReceiverStream<Fed>().Window(2s));
    ASSERT_TRUE(h.RunBatches(1).ok());
    ASSERT_TRUE(Feed({1}).ok());
    ASSERT_TRUE(h.RunBatches(1).ok());
    for (const int64_t x : {2, 3, 4}) ASSERT_TRUE(Feed({x}).ok());
    // One that a batch had, and one that none has had.
    std::vector<std::string> files;
    for (const auto& entry : stdfs::recursive_directory_iterator(directory.path())) {
      const std::string name = entry.path().filename();
      if (name == "log-00000001" || name == "log-00000003") files.push_back(entry.path());
    }
    ASSERT_EQ(files.size(), 2u);
    for (const std::string& file : files) ASSERT_TRUE(stdfs::remove(file));
    const absl::Status restarted = h.RestartDriver();
    if (may_lose) {
      ASSERT_TRUE(restarted.ok()) << restarted;
      ASSERT_TRUE(h.RunBatches(1).ok());
      EXPECT_THAT(Sorted(out.batches().back()), ElementsAre(2, 4));
      continue;
    }
    EXPECT_EQ(restarted.code(), absl::StatusCode::kDataLoss) << restarted;
    for (const std::string& file : files) {
      EXPECT_THAT(std::string(restarted.message()), HasSubstr(file));
    }
    EXPECT_THAT(std::string(restarted.message()), HasSubstr("allowStateLoss"));
  }
}

TEST_F(ReceiverLogTest, WithoutACheckpointDirectoryNothingStarts) {
  StreamHarness::Options options = Options();
  options.checkpoint_dir = "";
  StreamHarness h(1s, options);
  auto out = h.Output(h.context().ReceiverStream<Fed>());
  const absl::Status started = h.RunBatches(1);
  EXPECT_EQ(started.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(started.message()), HasSubstr("ReceiverStream at receiver_log_test.cc"));
  EXPECT_THAT(std::string(started.message()),
              HasSubstr("millrace.streaming.receiver.writeAheadLog.enable"));
}

}  // namespace
}  // namespace millrace::testing
