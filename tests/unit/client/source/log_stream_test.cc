#include <millrace/log_stream.h>
#include <millrace/log_writer.h>
#include <millrace/testing.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StreamHarness;

using Lines = std::vector<std::vector<std::string>>;
using Records = std::vector<std::string>;

class LogStreamTest : public ::testing::Test {
 protected:
  LogStreamTest() { std::filesystem::create_directory(log_); }

  void Append(int partition, const Records& records) {
    auto writer = LogWriter::Open(log_, partition);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE(writer->AppendAll(records).ok());
  }
  std::string Path(int partition) const {
    return log_ + "/partition-0000" + std::to_string(partition) + ".log";
  }
  void Overwrite(int partition, int64_t position, char byte) {
    std::fstream file(Path(partition), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(position);
    file.put(byte);
  }
  void Run(StreamHarness& h, int batches) {
    const absl::Status status = h.RunBatches(batches);
    ASSERT_TRUE(status.ok()) << status;
  }

  const TempDir dir_;
  const std::string log_ = dir_.path() + "/log";
  StreamHarness h_{1s};
};

TEST_F(LogStreamTest, BatchesFollowOnEachOther) {
  auto out = h_.Output(LogStream(h_.context(), log_));
  Append(0, {"a", "b"});
  Append(1, {"x"});
  Run(h_, 1);
  Append(1, {"y", "z"});
  Run(h_, 2);
  Append(0, {"c"});
  Run(h_, 1);
  EXPECT_EQ(out.batches(), (Lines{{"a", "b", "x"}, {"y", "z"}, {}, {"c"}}));
  EXPECT_THAT(out.partition_counts(), ElementsAre(2, 2, 2, 2));
}

TEST_F(LogStreamTest, PartitionsThatAreAddedArePickedUpFromTheirFirstRecord) {
  auto out = h_.Output(LogStream(h_.context(), log_, {.start = LogStart::kLatest}));
  Append(1, {"old"});
  Run(h_, 1);
  Append(0, {"n1"});
  Append(1, {"new"});
  Append(2, {"n2"});
  Run(h_, 1);
  EXPECT_EQ(out.batches(), (Lines{{}, {"n1", "new", "n2"}}));
  EXPECT_THAT(out.partition_counts(), ElementsAre(1, 3));
}

TEST_F(LogStreamTest, StartsWhereTheOptionsSay) {
  Append(0, {"a", "b", "c"});
  Append(1, {"x", "y"});
  LogStreamOptions options;
  options.start = LogStart::kLatest;
  options.start_offsets = {{0, 1}, {7, 1}};
  auto out = h_.Output(LogStream(h_.context(), log_, options));
  ASSERT_TRUE(h_.context().Start().ok());
  Append(1, {"after the start"});
  Run(h_, 1);
  Append(7, {"not wanted", "wanted"});
  Run(h_, 1);
  EXPECT_EQ(out.batches(), (Lines{{"b", "c", "after the start"}, {"wanted"}}));
}

TEST_F(LogStreamTest, WrongOptionsComeBackFromStart) {
  h_.Output(LogStream(h_.context(), log_, {.start_offsets = {{0, -1}}}));
  const absl::Status status = h_.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("LogStream at log_stream_test.cc:"));
}

TEST_F(LogStreamTest, ADirectoryThatIsNotThereComesBackFromStart) {
  h_.Output(LogStream(h_.context(), log_ + "/none"));
  const absl::Status status = h_.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("LogStream at log_stream_test.cc:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(log_ + "/none"));
}

TEST_F(LogStreamTest, ATornTailIsReadOnceItIsWhole) {
  auto out = h_.Output(LogStream(h_.context(), log_));
  Append(0, {"a", "bbbb"});
  const auto whole = std::filesystem::file_size(Path(0));
  std::filesystem::copy_file(Path(0), dir_.path() + "/copy");
  std::filesystem::resize_file(Path(0), whole - 2);
  Run(h_, 2);
  std::filesystem::rename(dir_.path() + "/copy", Path(0));
  Run(h_, 1);
  EXPECT_EQ(out.batches(), (Lines{{"a"}, {}, {"bbbb"}}));
}

TEST_F(LogStreamTest, ATaskThatIsTriedAgainReadsTheSame) {
  static std::atomic<int> calls;
  calls = 0;
  StreamHarness h(1s, {.master = "local[2,3]"});
  auto out = h.Output(LogStream(h.context(), log_).Map([](std::string_view record) {
    if (record == "b" && ++calls < 3) throw std::runtime_error("not yet");
    return std::string(record);
  }));
  Append(0, {"a", "b", "c"});
  Run(h, 1);
  Append(0, {"d"});
  Run(h, 1);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(out.batches(), (Lines{{"a", "b", "c"}, {"d"}}));
}

TEST_F(LogStreamTest, ADataSetThatIsComputedAgainHasTheSameRecords) {
  h_.context().Remember(10s);
  auto stream = LogStream(h_.context(), log_, {.start_offsets = {{0, 1}}});
  h_.Output(stream);
  Append(0, {"a", "b", "c"});
  Run(h_, 1);
  Append(0, {"d"});
  Append(1, {"x"});
  Run(h_, 1);
  const auto slice = stream.Slice(Time(1000), Time(2000));
  ASSERT_TRUE(slice.ok()) << slice.status();
  EXPECT_THAT(*(*slice)[0].Collect(), ElementsAre("b", "c"));
  EXPECT_THAT(*(*slice)[1].Collect(), ElementsAre("d", "x"));
}

TEST_F(LogStreamTest, AnotherRunReadsTheSameFromTheRangesOfTheFirst) {
  std::vector<OffsetRange> saved;
  LogStream(h_.context(), log_).ForeachRDD([&](const RDD<std::string_view>& rdd) {
    saved = *HasOffsetRanges(rdd);
  });
  Append(0, {"a"});
  Append(1, {"x", "y"});
  Run(h_, 1);
  h_.context().Stop();
  Append(0, {"b"});
  ASSERT_THAT(saved, ElementsAre(OffsetRange{log_, 0, 0, 1}, OffsetRange{log_, 1, 0, 2}));
  LogStreamOptions options;
  for (const OffsetRange& range : saved)
    options.start_offsets[range.partition] = range.until_offset;
  StreamHarness again(1s);
  auto out = again.Output(LogStream(again.context(), log_, options));
  Run(again, 1);
  EXPECT_EQ(out.batches(), (Lines{{"b"}}));
}

TEST_F(LogStreamTest, RateLimitsAreExact) {
  Conf conf;
  conf.Set("millrace.streaming.log.maxRatePerPartition", 3);
  StreamHarness h(500ms, {.conf = conf});
  auto out = h.Output(LogStream(h.context(), log_));
  Append(0, {"a", "b", "c"});
  Append(1, {"x"});
  Run(h, 4);
  EXPECT_EQ(out.batches(), (Lines{{"a", "x"}, {"b"}, {"c"}, {}})) << "1.5 a batch, rounded down";
}

TEST_F(LogStreamTest, TheMinimumIsTakenWhateverTheRate) {
  Conf conf;
  conf.Set("millrace.streaming.log.minRatePerPartition", 2);
  conf.Set("millrace.streaming.backpressure.enabled", true);
  conf.Set("millrace.streaming.backpressure.initialRate", 1);
  StreamHarness h(1s, {.conf = conf});
  auto out = h.Output(LogStream(h.context(), log_));
  Append(0, {"a", "b", "c"});
  Append(1, {"x", "y", "z"});
  Run(h, 1);
  EXPECT_EQ(out.batches(), (Lines{{"a", "b", "x", "y"}}));
}

// Many small records behind one another: a limited batch begins far inside the file.
TEST_F(LogStreamTest, ALongBacklogIsReadPieceByPiece) {
  Records records;
  for (int i = 0; i < 50'000; ++i) records.push_back(std::to_string(i));
  Append(0, records);
  Conf conf;
  conf.Set("millrace.streaming.log.maxRatePerPartition", 20'000);
  StreamHarness h(1s, {.conf = conf});
  auto out = h.Output(LogStream(h.context(), log_));
  Run(h, 4);
  Records seen;
  for (const Records& batch : out.batches()) seen.insert(seen.end(), batch.begin(), batch.end());
  EXPECT_EQ(seen, records);
  EXPECT_EQ(out.batches()[1].size(), 20'000u);
  EXPECT_EQ(out.batches()[2].size(), 10'000u);
}

TEST_F(LogStreamTest, ACorruptRecordFailsItsBatchNamingFileAndOffset) {
  Append(0, {"first", "second", "third"});
  Overwrite(0, 8 + 16 + 5 + 16, '?');
  auto out = h_.Output(LogStream(h_.context(), log_));
  const absl::Status status = h_.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("LogStream at log_stream_test.cc:"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("'" + Path(0) + "' is corrupt at offset 1 (byte 29)"));
  Append(1, {"x"});
  Run(h_, 1);
  EXPECT_EQ(out.batches(), (Lines{{"x"}}));
}

TEST_F(LogStreamTest, ACorruptHeadStopsTheStreamWithAnError) {
  Append(0, {"first", "second", "third"});
  Overwrite(0, 8 + 16 + 5, '?');
  h_.Output(LogStream(h_.context(), log_));
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = h_.RunBatches(1);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("'" + Path(0) + "' is corrupt at offset 1"));
  }
}

TEST_F(LogStreamTest, AFileThatIsGoneFailsBatchesUntilItIsBack) {
  auto out = h_.Output(LogStream(h_.context(), log_));
  Append(0, {"a"});
  Append(1, {"x"});
  Run(h_, 1);
  std::filesystem::rename(Path(1), dir_.path() + "/away");
  Append(0, {"b"});
  const absl::Status status = h_.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("partition 1 of '" + log_ + "' is gone"));
  std::filesystem::rename(dir_.path() + "/away", Path(1));
  Run(h_, 1);
  EXPECT_EQ(out.batches(), (Lines{{"a", "x"}, {"b"}}));
}

TEST_F(LogStreamTest, AFileThatGoesBeforeItIsReadFailsTheTask) {
  auto lines = LogStream(h_.context(), log_);
  h_.Output(lines.Transform([this](const RDD<std::string_view>& rdd) {
    std::filesystem::remove(Path(0));
    return rdd;
  }));
  Append(0, {"a"});
  const absl::Status status = h_.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path(0)));
}

TEST_F(LogStreamTest, AFileThatWasCutShortIsAnError) {
  h_.Output(LogStream(h_.context(), log_));
  Append(0, {"a", "b"});
  Run(h_, 1);
  std::filesystem::resize_file(Path(0), 30);
  const absl::Status status = h_.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("'" + Path(0) + "' has become shorter"));
}

TEST_F(LogStreamTest, OtherFilesOfTheDirectoryMeanNothing) {
  std::ofstream(log_ + "/README") << "about this log";
  std::ofstream(log_ + "/partition-00000.log.tmp") << "torn";
  std::filesystem::create_directory(Path(5));
  auto out = h_.Output(LogStream(h_.context(), log_));
  Append(0, {"a"});
  Run(h_, 1);
  EXPECT_EQ(out.batches(), (Lines{{"a"}}));
  EXPECT_THAT(out.partition_counts(), ElementsAre(1));
}

}  // namespace
}  // namespace millrace
