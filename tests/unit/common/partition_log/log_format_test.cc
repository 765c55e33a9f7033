#include "common/partition_log/log_format.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

TEST(LogFormatTest, FileNamesSayThePartition) {
  EXPECT_EQ(LogFileName(7), "partition-00007.log");
  EXPECT_EQ(LogFileName(1'234'567), "partition-1234567.log");
  for (const int partition : {0, 7, 99'999, 1'234'567}) {
    EXPECT_EQ(PartitionOfLogFile(LogFileName(partition)), partition);
  }
  for (const char* other : {"partition-7.log", "partition-00007.log.tmp", "partition--0001.log",
                            "partition-.log", "partition-0000x.log", "partition-99999999999.log",
                            ".partition-00007.log", "partition-00007", ""}) {
    EXPECT_EQ(PartitionOfLogFile(other), std::nullopt) << other;
  }
}

// The numbers of the README, byte by byte: files of earlier releases must stay readable.
TEST(LogFormatTest, BytesAreThoseOfTheReadme) {
  EXPECT_EQ(EncodeLogHead(), std::string("MPLG\x01\0\0\0", 8));
  EXPECT_EQ(EncodeLogRecordHead(5, "abc"), std::string("\x03\x00\x00\x00\x8a\xed\x32\x8e"
                                                       "\x50\x39\x2f\x89\x94\x5f\xaf\x78",
                                                       16));
}

TEST(LogFormatTest, AHeadIsGoodForOneOffsetOnly) {
  const std::string head = EncodeLogRecordHead(5, "abc");
  const auto decoded = DecodeLogRecordHead(head, 5);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->size, 3u);
  EXPECT_FALSE(DecodeLogRecordHead(head, 4).has_value());
  EXPECT_FALSE(DecodeLogRecordHead(head.substr(0, 15), 5).has_value());
  for (size_t i = 0; i < head.size(); ++i) {
    std::string wrong = head;
    wrong[i] ^= 1;
    EXPECT_FALSE(DecodeLogRecordHead(wrong, 5).has_value()) << "byte " << i;
  }
}

TEST(LogFormatTest, ErrorsNameFileOffsetAndByte) {
  const absl::Status status = CorruptLog("/log/p", {12, 340}, "wrong checksum");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "'/log/p' is corrupt at offset 12 (byte 340): wrong checksum");
}

}  // namespace
}  // namespace millrace::internal
