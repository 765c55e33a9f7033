// Segments as they are written and as they are read, whatever has become of their bytes.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "common/fs/file_util.h"
#include "common/log/segment_format.h"
#include "common/log/segment_reader.h"
#include "common/log/segment_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPath[] = "/log/log-00000007";
constexpr int64_t kSegment = 7;

class SegmentTest : public ::testing::Test {
 protected:
  SegmentTest() { EXPECT_TRUE(fs_.CreateDirs("/log").ok()); }

  static LogPayload Payload(const std::string& bytes) { return {Buffer::CopyOf(bytes)}; }

  SegmentWriter Create() {
    auto writer = SegmentWriter::Create(fs_, "/log", kSegment);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }
  // Each group with one sync.
  void WriteGroups(const std::vector<std::vector<std::string>>& groups) {
    SegmentWriter writer = Create();
    for (const auto& group : groups) {
      for (const std::string& record : group) {
        const auto place = writer.Append(Payload(record));
        ASSERT_TRUE(place.ok()) << place.status();
        places_.push_back(*place);
      }
      ASSERT_TRUE(writer.Sync().ok());
    }
  }
  std::string Bytes() {
    const auto bytes = ReadWholeFile(fs_, kPath, 1 << 20);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return *bytes;
  }
  void SetBytes(const std::string& bytes) {
    auto file = fs_.OpenForWrite(kPath, WriteMode::kTruncate);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(bytes).ok());
  }
  std::vector<std::string> ReadAll() {
    const auto file = fs_.OpenForRead(kPath);
    EXPECT_TRUE(file.ok()) << file.status();
    SegmentReader reader(**file, kSegment);
    std::vector<std::string> records;
    read_.clear();
    while (true) {
      auto record = reader.Next();
      status_ = record.status();
      if (!record.ok() || !record->has_value()) return records;
      records.emplace_back((*record)->payload.view());
      read_.push_back((*record)->place);
    }
  }

  MemoryFileSystem fs_;
  std::vector<SegmentPlace> places_;  // Written.
  std::vector<SegmentPlace> read_;    // By the last ReadAll.
  absl::Status status_;
};

TEST_F(SegmentTest, RecordsAreReadInTheirOrderAndByTheirPlaces) {
  WriteGroups({{"one"}, {"two", "three"}, {std::string(100'000, 'x')}});
  EXPECT_THAT(ReadAll(), ElementsAre("one", "two", "three", std::string(100'000, 'x')));
  EXPECT_EQ(read_, places_);
  EXPECT_EQ(status_, absl::OkStatus());
  const auto two = ReadLogRecord(fs_, "/log", places_[1]);
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(two->view(), "two");
}

TEST_F(SegmentTest, APayloadInPiecesIsOneRecord) {
  SegmentWriter writer = Create();
  ASSERT_TRUE(writer.Append({Buffer::CopyOf("a"), Buffer(), Buffer::CopyOf("bc")}).ok());
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_THAT(ReadAll(), ElementsAre("abc"));
  EXPECT_EQ(status_, absl::OkStatus());
}

TEST_F(SegmentTest, ASegmentThatIsThereIsNotWrittenTo) {
  Create();
  EXPECT_EQ(SegmentWriter::Create(fs_, "/log", kSegment).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(SegmentTest, CutAnywhereTheWholeRecordsBeforeAreRead) {
  const std::vector<std::string> records = {"first", "second record", "", "third", "4"};
  WriteGroups({{"first"}, {"second record", "third"}, {"4"}});
  const std::string whole = Bytes();
  for (size_t size = 0; size < whole.size(); ++size) {
    SetBytes(whole.substr(0, size));
    size_t expected = 0;
    while (expected < places_.size() &&
           static_cast<size_t>(places_[expected].offset + places_[expected].size_bytes) <= size) {
      ++expected;
    }
    EXPECT_EQ(ReadAll().size(), expected) << size;
    EXPECT_EQ(status_, absl::OkStatus()) << size;
  }
}

// Never a record that was not written, and never one left out of the middle.
TEST_F(SegmentTest, FlippedAnywhereItIsCutOrRefused) {
  const std::vector<std::string> records = {"first", "second record", "third", "4"};
  WriteGroups({{"first"}, {"second record", "third"}, {"4"}});
  const std::string whole = Bytes();
  const auto last_group = static_cast<size_t>(places_.back().offset);
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      SetBytes(bytes);
      const std::vector<std::string> read = ReadAll();
      ASSERT_LT(read.size(), records.size()) << at;
      EXPECT_TRUE(std::equal(read.begin(), read.end(), records.begin())) << at;
      // All before the last write had been on the disk when that was made.
      if (at < last_group) {
        EXPECT_EQ(status_.code(), absl::StatusCode::kDataLoss) << at << ": " << status_;
        EXPECT_THAT(std::string(status_.message()), HasSubstr("'/log/log-00000007' is corrupt"));
      }
    }
  }
}

TEST_F(SegmentTest, FlippedAnywhereAClosedSegmentIsRefused) {
  SegmentWriter writer = Create();
  for (const std::string record : {"first", "second"}) {
    ASSERT_TRUE(writer.Append(Payload(record)).ok());
  }
  ASSERT_TRUE(writer.Finish().ok());
  const std::string whole = Bytes();
  for (size_t at = 0; at + kSegmentRecordHeadBytes < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    SetBytes(bytes);
    ReadAll();
    EXPECT_EQ(status_.code(), absl::StatusCode::kDataLoss) << at;
  }
}

// Of a write of several records that the power failure cut short, the disk may have any part.
TEST_F(SegmentTest, AHoleInTheLastWriteIsItsEnd) {
  WriteGroups({{"first"}, {"second", "third", "fourth"}});
  std::string bytes = Bytes();
  std::fill_n(bytes.begin() + places_[2].offset, places_[2].size_bytes, '\0');
  SetBytes(bytes);
  EXPECT_THAT(ReadAll(), ElementsAre("first", "second"));
  EXPECT_EQ(status_, absl::OkStatus());
}

TEST_F(SegmentTest, ACorruptRecordIsNotReadByItsPlace) {
  WriteGroups({{"first"}, {"second"}});
  const std::string whole = Bytes();
  for (int64_t at = 0; at < places_[0].size_bytes; ++at) {
    std::string bytes = whole;
    bytes[static_cast<size_t>(places_[0].offset + at)] ^= 1;
    SetBytes(bytes);
    const auto read = ReadLogRecord(fs_, "/log", places_[0]);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss) << at;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr("offset 24"));
  }
  SetBytes(whole);
  SegmentPlace wrong = places_[0];
  wrong.size_bytes += 1;
  EXPECT_EQ(ReadLogRecord(fs_, "/log", wrong).status().code(), absl::StatusCode::kDataLoss);
  wrong.segment = 8;
  EXPECT_EQ(ReadLogRecord(fs_, "/log", wrong).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SegmentTest, AnotherSegmentsBytesAreRefused) {
  WriteGroups({{"first"}});
  const auto file = fs_.OpenForRead(kPath);
  ASSERT_TRUE(file.ok());
  SegmentReader reader(**file, kSegment + 1);
  EXPECT_EQ(reader.Next().status().code(), absl::StatusCode::kDataLoss);
}

TEST(SegmentNameTest, EachSegmentHasOneName) {
  EXPECT_EQ(SegmentName(17), "log-00000017");
  EXPECT_EQ(SegmentOfName("log-00000017"), 17);
  EXPECT_EQ(SegmentOfName(SegmentName(1'234'567'890)), 1'234'567'890);
  for (const char* name :
       {"log-17", "log-", "log-0000001x", "sealed", "log-00000000", "log--0000001"}) {
    EXPECT_EQ(SegmentOfName(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace millrace::internal
