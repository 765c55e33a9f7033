// What a batch has of inputs that choose for themselves is on the disk before anybody can see it,
// be it nothing.
#include <fcntl.h>
#include <millrace/log_stream.h>
#include <millrace/log_writer.h>
#include <millrace/testing.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/dstream/stream_graph.h"
#include "client/local/streaming_core.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/blocked_checkpoints.h"
#include "tests/support/temp_dir.h"

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Lines = std::vector<std::string>;

struct Source {
  std::string name;
  std::function<DStream<std::string_view>(StreamHarness&, const std::string& directory)> open;
  // What comes in, as of that time of the harness's clock.
  std::function<void(const std::string& directory, const std::string& line, int64_t time_ms)> add;
};

void AddFile(const std::string& directory, const std::string& line, int64_t time_ms) {
  const std::string path = directory + "/" + line;
  std::ofstream(path) << line << "\n";
  const timespec time{time_ms / 1000, time_ms % 1000 * 1'000'000};
  const timespec times[] = {time, time};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

void AddRecord(const std::string& directory, const std::string& line, int64_t /*time_ms*/) {
  auto writer = LogWriter::Open(directory, 0);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(writer->Append(line).ok());
}

std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Source> Sources() {
  return {{"Files",
           [](StreamHarness& h, const std::string& directory) {
             return h.context().TextFileStream(directory);
           },
           &AddFile},
          {"Log",
           [](StreamHarness& h, const std::string& directory) {
             EXPECT_TRUE(LogWriter::Open(directory, 0).ok());
             return LogStream(h.context(), directory);
           },
           &AddRecord}};
}

class ChosenInputsTest : public ::testing::TestWithParam<Source> {
 protected:
  DStream<std::string_view> Open() { return GetParam().open(h_, input_.path()); }
  void Add(const std::string& line, int64_t time_ms) {
    GetParam().add(input_.path(), line, time_ms);
  }

  const TempDir input_;
  const TempDir directory_;
  StreamHarness h_{1s, {.checkpoint_dir = directory_.path()}};
};

// The first driver has made an empty batch and died while its jobs ran. What comes in behind that,
// though it is dated before, is for later batches: somebody may have seen an empty one.
TEST_P(ChosenInputsTest, AnEmptyBatchStaysEmptyWhenItIsMadeOnceMore) {
  auto lines = Open();
  auto out = h_.Output(lines);
  internal::StreamGraph& graph = *h_.context().graph();
  ASSERT_TRUE(graph.Start().ok());
  graph.BeginAfter(Time(0));
  ASSERT_TRUE(graph.GenerateJobs(Time(1000), {}).ok());
  for (int driver = 0; driver < 2; ++driver) {
    Add(driver == 0 ? "first" : "second", 500);
    graph.Restart();
    const auto from = graph.Recover();
    ASSERT_TRUE(from.ok() && from->has_value()) << from.status();
    EXPECT_EQ((*from)->completed_time, Time(0));
    EXPECT_EQ((*from)->last_time, Time(1000));
    ASSERT_TRUE(graph.GenerateJobs(Time(1000), {}).ok());
    const auto again = lines.Slice(Time(1000), Time(1000));
    ASSERT_TRUE(again.ok() && again->size() == 1) << again.status();
    EXPECT_THAT(*again->front().Collect(), IsEmpty());
  }
  ASSERT_TRUE(graph.GenerateJobs(Time(2000), {}).ok());
  const auto next = lines.Slice(Time(2000), Time(2000));
  ASSERT_TRUE(next.ok() && next->size() == 1) << next.status();
  EXPECT_EQ(*next->front().Collect(), (Lines{"first", "second"}));
}

// For longer than files are remembered, and with files that were taken before.
TEST_P(ChosenInputsTest, ABatchThatCannotBeNotedFailsAndTheNextOneHasItsInput) {
  auto out = h_.Output(Open());
  Add("a", 500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  {
    const BlockedCheckpoints blocked(directory_.path());
    Add("b", 1500);
    for (int batch = 2; batch <= 70; ++batch) {
      const absl::Status failed = h_.RunBatches(1);
      EXPECT_THAT(std::string(failed.message()),
                  HasSubstr("batch " + std::to_string(batch) + "000 ms"));
      EXPECT_THAT(std::string(failed.message()), HasSubstr("the next batch has its input"));
    }
  }
  EXPECT_EQ(out.batches(), (std::vector<Lines>{{"a"}}));
  Add("c", 70'500);
  ASSERT_TRUE(h_.RunBatches(2).ok());
  EXPECT_EQ(out.batches(), (std::vector<Lines>{{"a"}, {"b", "c"}, {}}));
  ASSERT_TRUE(h_.RestartDriver().ok());
  Add("d", 72'500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  EXPECT_EQ(out.batches().back(), (Lines{"d"}));
}

// Batches that are not made ask for nothing, for longer than streams remember; the next one has to
// take the window through all of them.
TEST_P(ChosenInputsTest, WindowsOfStateGoOnBehindBatchesThatCannotBeNoted) {
  using Count = std::pair<std::string, int64_t>;
  auto counts = Open().Map([](std::string_view line) { return Count(line.substr(0, 1), 1); });
  auto so_far = counts.MapWithState(
      StateSpec([](std::string key, std::optional<int64_t> one, State<int64_t>& state) {
        state.Update(state.GetOption().value_or(0) + *one);
        return Count(std::move(key), state.Get());
      }));
  auto out = h_.Output(so_far.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 3s, 1s, 1));
  Add("a1", 500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  Add("a2", 1500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  {
    const BlockedCheckpoints blocked(directory_.path());
    for (int batch = 3; batch <= 12; ++batch) EXPECT_FALSE(h_.RunBatches(1).ok());
  }
  Add("a3", 12'500);
  const absl::Status status = h_.RunBatches(4);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(),
            (std::vector<std::vector<Count>>{
                {{"a", 1}}, {{"a", 3}}, {{"a", 3}}, {{"a", 3}}, {{"a", 3}}, {{"a", 0}}}));
}

// Batches that were left out had nothing of a stream that always has something, and so the next
// driver must not take it out of a window that it has gone on with.
TEST_P(ChosenInputsTest, WhatWasLeftOutLeavesNoWindowOfTheNextDriver) {
  using Count = std::pair<std::string, int64_t>;
  auto counts = Open().Map([](std::string_view line) { return Count(line.substr(0, 1), 1); });
  const std::vector<Count> always{{"c", 1}};
  auto constant = h_.context().ConstantStream(h_.context().context().Parallelize(always));
  auto out = h_.Output(counts.Union(constant)
                           .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 4s, 1s, 1)
                           .Checkpoint(1s));
  ASSERT_TRUE(h_.RunBatches(2).ok());
  {
    const BlockedCheckpoints blocked(directory_.path());
    for (int batch = 3; batch <= 4; ++batch) EXPECT_FALSE(h_.RunBatches(1).ok());
  }
  ASSERT_TRUE(h_.RunBatches(2).ok());
  ASSERT_TRUE(h_.RestartDriver().ok());
  const absl::Status status = h_.RunBatches(4);
  ASSERT_TRUE(status.ok()) << status;
  std::vector<int64_t> seen;
  for (const std::vector<Count>& batch : out.batches()) {
    ASSERT_EQ(batch.size(), 1u);
    seen.push_back(batch.front().second);
  }
  EXPECT_EQ(seen, (std::vector<int64_t>{1, 2, 2, 2, 3, 4, 4, 4}));
}

// No batch is left that was made, and none has what is put off.
TEST_P(ChosenInputsTest, ADriverThatCouldNoteNothingForLongLeavesHowFarItCame) {
  auto out = h_.Output(Open());
  Add("a", 500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  {
    const BlockedCheckpoints blocked(directory_.path());
    Add("b", 30'500);
    for (int batch = 2; batch <= 70; ++batch) EXPECT_FALSE(h_.RunBatches(1).ok());
  }
  ASSERT_TRUE(h_.RestartDriver().ok());
  ASSERT_TRUE(h_.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (std::vector<Lines>{{"a"}, {"b"}}));
}

// Files are older by then than they are remembered; from the first batch on, and behind others.
TEST_P(ChosenInputsTest, WhatWasPutOffForLongIsInABatchOfTheNextDriver) {
  auto out = h_.Output(Open());
  for (int round = 0; round < 2; ++round) {
    const int64_t begin = round * 80;
    {
      const BlockedCheckpoints blocked(directory_.path());
      Add("old" + std::to_string(round), begin * 1000 + 500);
      for (int batch = 1; batch <= 75; ++batch) EXPECT_FALSE(h_.RunBatches(1).ok());
    }
    ASSERT_TRUE(h_.RestartDriver().ok());
    Add("young" + std::to_string(round), begin * 1000 + 75'500);
    ASSERT_TRUE(h_.RunBatches(5).ok());
    const std::string number = std::to_string(round);
    EXPECT_EQ(out.batches()[static_cast<size_t>(round) * 5],
              (Lines{"old" + number, "young" + number}));
  }
  EXPECT_EQ(out.batches().size(), 10u);
}

// A batch that was never made takes nothing when it is made once more, for a later one has all.
TEST_P(ChosenInputsTest, ABatchThatCouldNotBeNotedHasNothingWhenItIsMadeOnceMore) {
  auto lines = Open();
  auto out = h_.Output(lines);
  internal::StreamGraph& graph = *h_.context().graph();
  ASSERT_TRUE(graph.Start().ok());
  graph.BeginAfter(Time(0));
  Add("a", 500);
  {
    const BlockedCheckpoints blocked(directory_.path());
    EXPECT_FALSE(graph.GenerateJobs(Time(1000), {}).ok());
  }
  ASSERT_TRUE(graph.GenerateJobs(Time(2000), {}).ok());
  Add("b", 900);
  graph.Restart();
  ASSERT_TRUE(graph.Recover().ok());
  std::vector<std::vector<Lines>> seen;
  for (int64_t time = 1000; time <= 3000; time += 1000) {
    ASSERT_TRUE(graph.GenerateJobs(Time(time), {}).ok());
    const auto slice = lines.Slice(Time(time), Time(time));
    ASSERT_TRUE(slice.ok()) << slice.status();
    std::vector<Lines>& of_batch = seen.emplace_back();
    for (const auto& rdd : *slice) of_batch.push_back(*rdd.Collect());
  }
  EXPECT_EQ(seen, (std::vector<std::vector<Lines>>{{}, {{"a"}}, {{"b"}}}));
}

// Files are passed over that somebody has tidied away; what is missing from a log is not.
TEST(LostInputTest, StateThatCannotBeMadeAgainEndsTheRunUnlessItMayBeLost) {
  using Sum = std::pair<std::string, int64_t>;
  for (const bool may_lose : {false, true}) {
    const TempDir input;
    const TempDir directory;
    StreamHarness::Options options;
    options.checkpoint_dir = directory.path();
    options.conf.Set("millrace.streaming.checkpoint.allowStateLoss", may_lose ? "true" : "false");
    StreamHarness h(1s, options);
    EXPECT_TRUE(LogWriter::Open(input.path(), 0).ok());
    auto out = h.Output(
        LogStream(h.context(), input.path())
            .Map([](std::string_view line) { return Sum(line, 1); })
            .UpdateStateByKey<int64_t>([](const std::string&, std::span<const int64_t> values,
                                          std::optional<int64_t> sum) {
              return std::optional(sum.value_or(0) + static_cast<int64_t>(values.size()));
            }));
    for (const char* record : {"a", "b"}) {
      AddRecord(input.path(), record, 0);
      ASSERT_TRUE(h.RunBatches(1).ok());
    }
    // One byte of its only segment.
    std::string path;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(input.path())) {
      if (entry.is_regular_file()) path = entry.path();
    }
    const std::string bytes = BytesOf(path);
    std::string damaged = bytes;
    damaged[damaged.find('a')] = 'x';
    std::ofstream(path, std::ios::binary) << damaged;
    ASSERT_TRUE(h.RestartDriver().ok());
    if (may_lose) {
      ASSERT_TRUE(h.RunBatches(1).ok());
      EXPECT_EQ(out.batches().back(), (std::vector<Sum>{{"b", 1}}));
      continue;
    }
    for (int batch = 0; batch < 2; ++batch) {
      const absl::Status failed = h.RunBatches(1);
      EXPECT_EQ(failed.code(), absl::StatusCode::kDataLoss) << failed;
      EXPECT_THAT(std::string(failed.message()), HasSubstr(path));
      EXPECT_THAT(std::string(failed.message()), HasSubstr("allowStateLoss=true"));
    }
    // Nothing has been lost by that.
    std::ofstream(path, std::ios::binary) << bytes;
    ASSERT_TRUE(h.RestartDriver().ok());
    ASSERT_TRUE(h.RunBatches(1).ok());
    auto sums = out.batches().back();
    std::sort(sums.begin(), sums.end());
    EXPECT_EQ(sums, (std::vector<Sum>{{"a", 1}, {"b", 1}}));
  }
}

INSTANTIATE_TEST_SUITE_P(Sources, ChosenInputsTest, ::testing::ValuesIn(Sources()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace millrace::testing
