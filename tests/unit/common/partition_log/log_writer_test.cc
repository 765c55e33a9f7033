#include "common/partition_log/log_writer.h"

#include <string>
#include <vector>

#include "common/partition_log/log_format.h"
#include "common/partition_log/log_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

using Records = std::vector<std::string>;

constexpr char kPath[] = "/data/log/partition-00003.log";

class LogWriterTest : public ::testing::Test {
 protected:
  LogWriterTest() { EXPECT_TRUE(fs_.CreateDirs("/data").ok()); }

  LogWriter Open() {
    auto writer = LogWriter::Open(fs_, "/data/log", 3);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }
  Records ReadAll() {
    auto file = fs_.OpenForRead(kPath);
    EXPECT_TRUE(file.ok()) << file.status();
    internal::LogReader reader(**file);
    Records records;
    for (;;) {
      const auto record = reader.Next();
      EXPECT_TRUE(record.ok()) << record.status();
      if (!record.ok() || !record->has_value()) return records;
      records.emplace_back(**record);
    }
  }
  void AddBytes(const std::string& bytes) {
    auto file = fs_.OpenForWrite(kPath, WriteMode::kAppend);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(bytes).ok());
  }

  MemoryFileSystem fs_;
};

TEST_F(LogWriterTest, RecordsGetTheOffsetsFromZeroOn) {
  LogWriter writer = Open();
  EXPECT_EQ(*writer.Append("a"), 0);
  EXPECT_EQ(*writer.AppendAll(Records{"b", "", "c"}), 1);
  EXPECT_EQ(*writer.AppendAll(Records{}), 4);
  EXPECT_EQ(*writer.Append("d"), 4);
  EXPECT_EQ(writer.next_offset(), 5);
  EXPECT_EQ(ReadAll(), (Records{"a", "b", "", "c", "d"}));
}

TEST_F(LogWriterTest, GoesOnWhereAnEarlierWriterEnded) {
  EXPECT_TRUE(Open().Append("a").ok());
  LogWriter writer = Open();
  EXPECT_EQ(writer.next_offset(), 1);
  EXPECT_EQ(*writer.Append("b"), 1);
  EXPECT_EQ(ReadAll(), (Records{"a", "b"}));
}

TEST_F(LogWriterTest, WhatWasAppendedSurvivesALossOfPower) {
  LogWriter writer = Open();
  ASSERT_TRUE(writer.Append("a").ok());
  ASSERT_TRUE(writer.AppendAll(Records{"b", "c"}).ok());
  fs_.LoseUnsynced();
  EXPECT_EQ(ReadAll(), (Records{"a", "b", "c"}));
}

TEST_F(LogWriterTest, ATornTailIsCutOffWhenThePartitionIsOpened) {
  ASSERT_TRUE(Open().AppendAll(Records{"a", "b"}).ok());
  const std::string torn = internal::EncodeLogRecordHead(2, "cccc") + "cc";
  for (const size_t bytes : {size_t{1}, size_t{16}, torn.size()}) {
    AddBytes(torn.substr(0, bytes));
    LogWriter writer = Open();
    EXPECT_EQ(writer.next_offset(), 2);
    EXPECT_EQ(ReadAll(), (Records{"a", "b"}));
    fs_.LoseUnsynced();
    EXPECT_EQ(ReadAll(), (Records{"a", "b"})) << "the new file is on the disk";
  }
  EXPECT_EQ(*Open().Append("c"), 2);
  EXPECT_EQ(ReadAll(), (Records{"a", "b", "c"}));
  EXPECT_EQ(fs_.AllPaths(), (Records{"/data", "/data/log", kPath})) << "nothing is left behind";
}

TEST_F(LogWriterTest, AFileWithoutAWholeHeadIsBegunAnew) {
  Open();
  for (const std::string& bytes : {std::string(), std::string("MPL"), std::string(8, '\0')}) {
    auto file = fs_.OpenForWrite(kPath, WriteMode::kTruncate);
    ASSERT_TRUE((*file)->Append(bytes).ok());
    EXPECT_EQ(*Open().Append("a"), 0);
    EXPECT_EQ(ReadAll(), (Records{"a"}));
  }
}

TEST_F(LogWriterTest, ACorruptPartitionIsNotWrittenTo) {
  ASSERT_TRUE(Open().Append("a").ok());
  AddBytes("garbage that is longer than a head");
  const absl::Status status = LogWriter::Open(fs_, "/data/log", 3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'/data/log/partition-00003.log'"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("offset 1"));
}

TEST_F(LogWriterTest, AnErrorSticksUntilThePartitionIsOpenedAgain) {
  LogWriter writer = Open();
  ASSERT_TRUE(writer.Append("a").ok());
  fs_.SetCapacity(40);
  EXPECT_EQ(writer.Append("a longer record").status().code(), absl::StatusCode::kResourceExhausted);
  fs_.SetCapacity(1000);
  EXPECT_FALSE(writer.Append("b").ok());
  EXPECT_EQ(writer.next_offset(), 1);
  EXPECT_EQ(*Open().Append("b"), 1);
  EXPECT_EQ(ReadAll(), (Records{"a", "b"}));
}

TEST_F(LogWriterTest, RefusesWhatNoReaderWouldTake) {
  LogWriter writer = Open();
  const absl::Status status =
      writer.Append(std::string(internal::kLogRecordBytesMax + 1, 'x')).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*writer.Append("a"), 0) << "the writer goes on";
  EXPECT_EQ(LogWriter::Open(fs_, "/data/log", -1).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(LogWriterTest, WritesFilesOfTheMachine) {
  const TempDir dir;
  auto writer = LogWriter::Open(dir.path() + "/a/b", 0);
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_EQ(*writer->Append("x"), 0);
  EXPECT_EQ(writer->path(), dir.path() + "/a/b/partition-00000.log");
  EXPECT_EQ(LogWriter::Open(dir.path() + "/a/b", 0)->next_offset(), 1);
}

}  // namespace
}  // namespace millrace
