#include "common/partition_log/log_reader.h"

#include <string>
#include <vector>

#include "common/partition_log/log_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::HasSubstr;

constexpr char kPath[] = "/log/partition-00000.log";

class LogReaderTest : public ::testing::Test {
 protected:
  LogReaderTest() { EXPECT_TRUE(fs_.CreateDirs("/log").ok()); }

  static std::string BytesOf(const std::vector<std::string>& records, int64_t offset = 0) {
    std::string bytes;
    for (const std::string& record : records) {
      bytes += EncodeLogRecordHead(offset++, record) + record;
    }
    return bytes;
  }
  void Write(const std::string& bytes) {
    auto file = fs_.OpenForWrite(kPath, WriteMode::kTruncate);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(bytes).ok());
  }
  // All records up to the end for now; `status_` has the error if there is one.
  std::vector<std::string> ReadAll(LogPlace begin = LogPlace()) {
    return Read(begin, [](LogReader& reader) { return reader.Next(); });
  }
  // The same without looking at them: as many empty ones.
  int64_t SkipAll() {
    auto skip = [](LogReader& reader) -> absl::StatusOr<std::optional<std::string_view>> {
      const absl::StatusOr<bool> passed = reader.Skip();
      if (!passed.ok()) return passed.status();
      return *passed ? std::optional<std::string_view>("") : std::nullopt;
    };
    return static_cast<int64_t>(Read(LogPlace(), skip).size());
  }
  template <class Step>
  std::vector<std::string> Read(LogPlace begin, Step step) {
    auto file = fs_.OpenForRead(kPath);
    EXPECT_TRUE(file.ok()) << file.status();
    LogReader reader(**file, begin);
    std::vector<std::string> records;
    for (;;) {
      auto record = step(reader);
      status_ = record.status();
      if (!record.ok() || !record->has_value()) break;
      records.emplace_back(**record);
    }
    place_ = reader.place();
    return records;
  }

  MemoryFileSystem fs_;
  absl::Status status_;
  LogPlace place_;
};

TEST_F(LogReaderTest, ReadsRecordsOfAnySizeInOrder) {
  std::vector<std::string> records = {"a", "", std::string(300'000, 'x'), "b"};
  for (int i = 0; i < 40'000; ++i) records.push_back("record " + std::to_string(i));
  records.push_back(std::string(600'000, 'y'));
  Write(EncodeLogHead() + BytesOf(records));
  EXPECT_EQ(ReadAll(), records);
  EXPECT_TRUE(status_.ok()) << status_;
  EXPECT_EQ(place_.offset, static_cast<int64_t>(records.size()));
  EXPECT_EQ(SkipAll(), static_cast<int64_t>(records.size()));
}

TEST_F(LogReaderTest, GoesOnFromAPlaceThatAReaderTold) {
  Write(EncodeLogHead() + BytesOf({"a", "b"}));
  ReadAll();
  const LogPlace end = place_;
  Write(EncodeLogHead() + BytesOf({"a", "b", "c"}));
  EXPECT_EQ(ReadAll(end), (std::vector<std::string>{"c"}));
}

TEST_F(LogReaderTest, ATornTailIsNotYetThere) {
  const std::string whole = EncodeLogHead() + BytesOf({"first", "second"});
  const size_t second_begins = EncodeLogHead().size() + BytesOf({"first"}).size();
  for (size_t size = 0; size <= whole.size(); ++size) {
    Write(whole.substr(0, size));
    const size_t expected = size == whole.size() ? 2 : size >= second_begins ? 1 : 0;
    EXPECT_EQ(ReadAll().size(), expected) << size << " bytes";
    EXPECT_TRUE(status_.ok()) << status_;
    EXPECT_EQ(SkipAll(), static_cast<int64_t>(expected)) << size << " bytes";
    EXPECT_TRUE(status_.ok()) << status_;
  }
}

TEST_F(LogReaderTest, WhatALossOfPowerLeavesIsNotYetThere) {
  const std::string first = EncodeLogHead() + BytesOf({"first"});
  const std::string second = BytesOf({"second"}, 1);
  const std::string zeros(second.size() - 16, '\0');
  for (const std::string& tail :
       {std::string(5000, '\0'), second.substr(0, 16) + zeros, std::string(17, '\0')}) {
    Write(first + tail);
    EXPECT_EQ(ReadAll(), (std::vector<std::string>{"first"}));
    EXPECT_TRUE(status_.ok()) << status_;
    EXPECT_EQ(SkipAll(), 1);
    EXPECT_TRUE(status_.ok()) << status_;
  }
  Write(std::string(100, '\0'));
  EXPECT_TRUE(ReadAll().empty());
  EXPECT_TRUE(status_.ok()) << status_;
}

TEST_F(LogReaderTest, ACorruptRecordInTheMiddleIsAnErrorThatNamesIt) {
  const std::string front = EncodeLogHead() + BytesOf({"first"});
  const std::string middle = BytesOf({"second"}, 1);
  const std::string back = BytesOf({"third"}, 2);
  for (size_t i = 0; i < middle.size(); ++i) {
    std::string wrong = middle;
    wrong[i] ^= 0x40;
    Write(absl::StrCat(front, wrong, back));
    EXPECT_EQ(ReadAll(), (std::vector<std::string>{"first"})) << "byte " << i;
    EXPECT_EQ(status_.code(), absl::StatusCode::kDataLoss) << "byte " << i << ": " << status_;
    EXPECT_THAT(std::string(status_.message()),
                HasSubstr("'/log/partition-00000.log' is corrupt at offset 1 (byte 29)"));
  }
}

TEST_F(LogReaderTest, SkippingSeesWrongHeads) {
  std::string second = BytesOf({"second"}, 1);
  second[0] ^= 1;
  Write(EncodeLogHead() + BytesOf({"first"}) + second + BytesOf({"third"}, 2));
  EXPECT_EQ(SkipAll(), 1);
  EXPECT_EQ(status_.code(), absl::StatusCode::kDataLoss) << status_;
}

TEST_F(LogReaderTest, ARecordAtAWrongPlaceIsAnError) {
  Write(EncodeLogHead() + BytesOf({"first"}) + BytesOf({"third"}, 2));
  EXPECT_EQ(ReadAll().size(), 1u);
  EXPECT_THAT(std::string(status_.message()), HasSubstr("offset 1"));
}

TEST_F(LogReaderTest, OtherFilesAreRefused) {
  for (const std::string& bytes :
       {std::string("some text that is no log"), std::string("MPLG\x02\0\0\0", 8)}) {
    Write(bytes);
    EXPECT_TRUE(ReadAll().empty());
    EXPECT_EQ(status_.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status_.message()), HasSubstr("byte 0"));
  }
}

TEST_F(LogReaderTest, BlocksThatAreHeldKeepTheirRecords) {
  std::vector<std::string> records;
  for (int i = 0; i < 100'000; ++i) records.push_back("record " + std::to_string(i));
  Write(EncodeLogHead() + BytesOf(records));
  auto file = fs_.OpenForRead(kPath);
  ASSERT_TRUE(file.ok());
  std::vector<Buffer> blocks;
  LogReader reader(**file, LogPlace(), [&](Buffer block) { blocks.push_back(std::move(block)); });
  std::vector<std::string_view> views;
  for (;;) {
    const auto record = reader.Next();
    ASSERT_TRUE(record.ok()) << record.status();
    if (!record->has_value()) break;
    views.push_back(**record);
  }
  EXPECT_GT(blocks.size(), 5u);
  EXPECT_EQ(std::vector<std::string>(views.begin(), views.end()), records);
}

TEST_F(LogReaderTest, ErrorsOfTheDiskComeBack) {
  Write(EncodeLogHead() + BytesOf({"a"}));
  fs_.SetFault([](FileOp op, const std::string& path) {
    if (op != FileOp::kRead) return absl::OkStatus();
    return absl::UnavailableError("cannot read '" + path + "'");
  });
  EXPECT_TRUE(ReadAll().empty());
  EXPECT_EQ(status_.code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace millrace::internal
