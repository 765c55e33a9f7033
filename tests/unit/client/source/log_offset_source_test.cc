#include "client/source/log_offset_source.h"

#include <string>
#include <vector>

#include "common/partition_log/log_writer.h"
#include "common/record/codec.h"
#include "executor/operator/log_records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using namespace std::chrono_literals;

class LogOffsetSourceTest : public ::testing::Test {
 protected:
  void Append(int partition, size_t records) {
    auto writer = LogWriter::Open(fs_, "/log", partition);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE(writer->AppendAll(std::vector<std::string>(records, "0123456789")).ok());
  }
  // By partition, in order.
  std::vector<int64_t> Latest(LogOffsetSource& source, std::chrono::milliseconds timeout) {
    const auto offsets = source.Latest(timeout);
    EXPECT_TRUE(offsets.ok()) << offsets.status();
    std::vector<int64_t> latest;
    may_have_more_ = false;
    for (const PartitionOffsets& partition : *offsets) {
      latest.push_back(partition.latest);
      may_have_more_ |= partition.may_have_more;
    }
    return latest;
  }
  LogSplit SplitOf(const SourcePartition& located) {
    LogSplit split;
    EXPECT_TRUE(DecodeFromBytes(located.split, split));
    return split;
  }

  // Each look takes `nanos_a_look`.
  static int64_t Clock() { return now_nanos += nanos_a_look; }
  void TearDown() override { nanos_a_look = 0; }

  static inline int64_t now_nanos = 0;
  static inline int64_t nanos_a_look = 0;
  MemoryFileSystem fs_;
  bool may_have_more_ = false;  // Of some partition, at the last Latest.
};

// Two looks for a partition, one more for each 64 KiB, or about 2,500 records.
TEST_F(LogOffsetSourceTest, EachPartitionGetsItsShareOfTheTime) {
  Append(0, 100'000);
  Append(1, 10'000);
  LogOffsetSource source(&fs_, "/log", {}, Clock);
  ASSERT_TRUE(source.Start(1s).ok());
  nanos_a_look = 1'000'000;
  const std::vector<int64_t> latest = Latest(source, 20ms);
  EXPECT_GT(latest[0], 20'000);
  EXPECT_LT(latest[0], 30'000) << "half of it";
  EXPECT_EQ(latest[1], 10'000);
}

TEST_F(LogOffsetSourceTest, WithoutTimeEachCallCountsSomeRecordsOfEachPartition) {
  Append(0, 10'000);
  Append(1, 10'000);
  LogOffsetSource source(&fs_, "/log", {}, Clock);
  ASSERT_TRUE(source.Start(1s).ok());
  std::vector<int64_t> before{0, 0};
  int calls = 0;
  while (before != std::vector<int64_t>{10'000, 10'000}) {
    const std::vector<int64_t> latest = Latest(source, 0ms);
    ASSERT_GT(latest[0], before[0]);
    ASSERT_GT(latest[1], before[1]);
    before = latest;
    ++calls;
  }
  EXPECT_EQ(calls, 4) << "64 KiB of each file a call";
}

TEST_F(LogOffsetSourceTest, AStartThatWasNotReachedYetIsNoEnd) {
  Append(0, 10'000);
  LogStreamOptions options;
  options.start_offsets = {{0, 9'000}};
  LogOffsetSource source(&fs_, "/log", options, Clock);
  ASSERT_TRUE(source.Start(1s).ok());
  EXPECT_LT(Latest(source, 0ms)[0], 9'000);
  EXPECT_TRUE(may_have_more_);
  EXPECT_EQ(Latest(source, 1min), (std::vector<int64_t>{10'000}));
  EXPECT_FALSE(may_have_more_);
}

TEST_F(LogOffsetSourceTest, TheEndMustBeKnownToStartThere) {
  Append(0, 10'000);
  LogStreamOptions options;
  options.start = LogStart::kLatest;
  LogOffsetSource source(&fs_, "/log", options, Clock);
  const absl::Status status = source.Start(0ms);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
}

TEST_F(LogOffsetSourceTest, TasksBeginNearTheirRange) {
  Append(0, 10'000);
  LogOffsetSource source(&fs_, "/log", {}, Clock);
  ASSERT_TRUE(source.Start(1s).ok());
  Latest(source, 1min);
  EXPECT_EQ(SplitOf(source.Locate({"/log", 0, 0, 5'000})).seek, LogPlace());
  const LogSplit split = SplitOf(source.Locate({"/log", 0, 5'000, 10'000}));
  EXPECT_EQ(split.path, "/log/partition-00000.log");
  EXPECT_LE(split.seek.offset, 5'000);
  EXPECT_GT(split.seek.offset, 2'000);
  EXPECT_EQ(split.seek.position, 8u + 26u * static_cast<uint64_t>(split.seek.offset));
}

TEST_F(LogOffsetSourceTest, FilesThatHaveNotGrownAreNotOpened) {
  Append(0, 10);
  LogOffsetSource source(&fs_, "/log", {}, Clock);
  ASSERT_TRUE(source.Start(1s).ok());
  Latest(source, 1s);
  fs_.SetFault([](FileOp op, const std::string&) {
    return op == FileOp::kOpenForRead ? absl::InternalError("opened") : absl::OkStatus();
  });
  EXPECT_EQ(Latest(source, 1s), (std::vector<int64_t>{10}));
}

}  // namespace
}  // namespace millrace::internal
