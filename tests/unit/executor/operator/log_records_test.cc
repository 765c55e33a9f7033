#include "executor/operator/log_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/partition_log/log_writer.h"
#include "tests/support/fake_task.h"
#include "tests/support/temp_dir.h"

namespace millrace::internal {
namespace {

using ::testing::HasSubstr;

using Records = std::vector<std::string>;

class LogRecordsTest : public ::testing::Test {
 protected:
  void Append(const Records& records) {
    auto writer = LogWriter::Open(dir_.path(), 0);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE(writer->AppendAll(records).ok());
    path_ = writer->path();
  }
  Records Read(int64_t from, int64_t until, LogPlace seek = LogPlace(), bool keeps_views = false,
               size_t stop_after = static_cast<size_t>(-1)) {
    FakeTask task;
    FakeNode& node = task.Node<LogRecordsOperator>();
    node.split = EncodeToString(LogSplit{path_, from, until, seek});
    Records records = task.Run<std::string_view>(node, keeps_views, stop_after);
    succeeded_ = task.succeeded;
    status_ = task.status();
    return records;
  }
  void Overwrite(int64_t position, char byte) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(position);
    file.put(byte);
  }

  const TempDir dir_;
  std::string path_;
  bool succeeded_ = false;
  absl::Status status_;
};

TEST_F(LogRecordsTest, ARangeIsItsRecordsHoweverOftenItIsRead) {
  Append({"a", "b", "c", "d"});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Read(1, 3), (Records{"b", "c"}));
    EXPECT_TRUE(succeeded_) << status_;
    Append({"e"});
  }
  EXPECT_EQ(Read(0, 4), (Records{"a", "b", "c", "d"}));
}

TEST_F(LogRecordsTest, BeginsAtThePlaceThatTheDriverKnows) {
  Append({"a", "bb", "c"});
  const uint64_t second = kLogHeadBytes + kLogRecordHeadBytes + 1;
  EXPECT_EQ(Read(2, 3, {1, second}), (Records{"c"}));
  EXPECT_TRUE(succeeded_) << status_;
  Read(2, 3, {1, second + 1});
  EXPECT_FALSE(succeeded_) << "no record begins there";
  Read(0, 3, {1, second});
  EXPECT_FALSE(succeeded_) << "that would leave out the first";
}

TEST_F(LogRecordsTest, ManyRecordsWithAndWithoutViews) {
  Records records;
  for (int i = 0; i < 60'000; ++i) records.push_back("record number " + std::to_string(i));
  records.emplace_back(700'000, 'x');
  Append(records);
  const auto size = static_cast<int64_t>(records.size());
  for (const bool keeps_views : {false, true}) {
    EXPECT_EQ(Read(0, size, LogPlace(), keeps_views), records);
    EXPECT_TRUE(succeeded_) << status_;
    EXPECT_EQ(Read(0, size, LogPlace(), keeps_views, 5),
              Records(records.begin(), records.begin() + 5));
    EXPECT_FALSE(succeeded_);
    EXPECT_TRUE(status_.ok()) << "who has enough has not failed";
  }
}

TEST_F(LogRecordsTest, AnEmptyRangeOpensNoFile) {
  path_ = dir_.path() + "/none";
  EXPECT_TRUE(Read(7, 7).empty());
  EXPECT_TRUE(succeeded_) << status_;
}

TEST_F(LogRecordsTest, AMissingFileIsNamed) {
  path_ = dir_.path() + "/none";
  EXPECT_TRUE(Read(0, 1).empty());
  EXPECT_EQ(status_.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status_.message()), HasSubstr(path_));
}

TEST_F(LogRecordsTest, ACorruptRecordIsNamedAndNothingBehindItIsRead) {
  Append({"first", "second", "third"});
  Overwrite(static_cast<int64_t>(kLogHeadBytes + 2 * kLogRecordHeadBytes) + 5 + 2, '?');
  EXPECT_EQ(Read(0, 1), (Records{"first"}));
  EXPECT_TRUE(succeeded_) << status_;
  Read(0, 3);
  EXPECT_FALSE(succeeded_);
  EXPECT_EQ(status_.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status_.message()),
              HasSubstr("'" + path_ + "' is corrupt at offset 1 (byte 29)"));
}

TEST_F(LogRecordsTest, ALogThatWasCutShortIsAnError) {
  Append({"first", "second"});
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  EXPECT_EQ(Read(0, 1), (Records{"first"}));
  for (const int64_t from : {0, 1}) {
    Read(from, 2);
    EXPECT_FALSE(succeeded_);
    EXPECT_EQ(status_.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status_.message()), HasSubstr(path_));
    EXPECT_THAT(std::string(status_.message()), HasSubstr("ends at offset 1 (byte 29)"));
  }
}

TEST_F(LogRecordsTest, ACancelledTaskStops) {
  Append({"a", "b"});
  FakeTask task;
  task.is_cancelled = true;
  FakeNode& node = task.Node<LogRecordsOperator>();
  node.split = EncodeToString(LogSplit{path_, 0, 2, LogPlace()});
  EXPECT_TRUE(task.Run<std::string_view>(node).empty());
  EXPECT_FALSE(task.succeeded);
}

}  // namespace
}  // namespace millrace::internal
