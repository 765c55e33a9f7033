#include "executor/state/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/fs/file_util.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPath[] = "/state/part-00003";

class StateFileTest : public ::testing::Test {
 protected:
  static std::string Example() {
    return EncodeStateFileHead({.time_ms = 5000, .since_ms = 3000, .partition = 3}) +
           StateFrameHead("first records", 2) + "first records" + StateFrameHead("more", 1) +
           "more" + StateFileEnd(2);
  }

  // The records of all frames, each with their count before them.
  absl::StatusOr<std::vector<std::string>> Read(const std::string& bytes) {
    EXPECT_TRUE(fs_.CreateDirs("/state").ok());
    EXPECT_TRUE(WriteFileAtomically(fs_, kPath, bytes).ok());
    const auto file = fs_.OpenForRead(kPath);
    StateFileReader reader(**file);
    const absl::StatusOr<StateFileHead> head = reader.ReadHead();
    if (!head.ok()) return head.status();
    head_ = *head;
    std::vector<std::string> frames;
    for (;;) {
      StateFileReader::Frame frame;
      const absl::StatusOr<bool> more = reader.Next(frame);
      if (!more.ok()) return more.status();
      if (!*more) return frames;
      frames.push_back(std::to_string(frame.record_count) + " " +
                       std::string(frame.records.view()));
      EXPECT_EQ(bytes.substr(frame.offset, frame.records.size()), frame.records.view());
    }
  }

  MemoryFileSystem fs_;
  StateFileHead head_;
};

TEST_F(StateFileTest, IsReadAsItWasWritten) {
  const auto frames = Read(Example());
  ASSERT_TRUE(frames.ok()) << frames.status();
  EXPECT_THAT(*frames, ElementsAre("2 first records", "1 more"));
  EXPECT_EQ(head_.time_ms, 5000);
  EXPECT_EQ(head_.since_ms, 3000);
  EXPECT_EQ(head_.partition, 3u);
  EXPECT_FALSE(head_.has_all_keys());
}

TEST_F(StateFileTest, MayHaveNoRecords) {
  const auto frames = Read(EncodeStateFileHead({.time_ms = 1, .partition = 0}) + StateFileEnd(0));
  ASSERT_TRUE(frames.ok()) << frames.status();
  EXPECT_THAT(*frames, IsEmpty());
  EXPECT_TRUE(head_.has_all_keys());
}

TEST_F(StateFileTest, HasAHeadThatOtherProgramsCanRead) {
  EXPECT_EQ(Example().substr(0, 16), std::string("MRST\1\0\0\0\x88\x13\0\0\0\0\0\0", 16));
}

TEST_F(StateFileTest, CutAtEveryByteIsRefused) {
  const std::string bytes = Example();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const absl::Status status = Read(bytes.substr(0, size)).status();
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << size;
    EXPECT_THAT(status.message(), HasSubstr(kPath));
    EXPECT_THAT(status.message(), HasSubstr("at offset"));
  }
  EXPECT_FALSE(Read(bytes + "x").ok());
}

TEST_F(StateFileTest, FlippedAtEveryByteIsRefused) {
  const std::string bytes = Example();
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const int flip : {0x01, 0x41, 0x80}) {
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ flip);
      EXPECT_THAT(Read(flipped).status().code(),
                  AnyOf(absl::StatusCode::kDataLoss, absl::StatusCode::kUnimplemented))
          << i;
    }
  }
}

TEST_F(StateFileTest, AFrameThatIsMissingIsSeen) {
  const std::string head = EncodeStateFileHead({.time_ms = 5000, .partition = 3});
  EXPECT_THAT(Read(head + StateFrameHead("more", 1) + "more" + StateFileEnd(2)).status().message(),
              HasSubstr("frames are missing"));
}

TEST_F(StateFileTest, ANewerVersionIsSaid) {
  std::string bytes = Example();
  bytes[4] = 2;
  const absl::Status status = Read(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(status.message(), HasSubstr("version 2"));
}

}  // namespace
}  // namespace millrace::internal
