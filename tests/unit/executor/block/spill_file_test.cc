#include "executor/block/spill_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "executor/block/spill_dir.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::HasSubstr;

class SpillFileTest : public ::testing::Test {
 protected:
  SpillFileTest() {
    EXPECT_TRUE(
        WriteSpillFile(fs_, "/file", {Buffer::CopyOf("one"), Buffer(), Buffer::CopyOf("three")})
            .ok());
    bytes_ = Contents("/file");
  }

  std::string Contents(const std::string& path) {
    const auto file = fs_.OpenForRead(path);
    EXPECT_TRUE(file.ok());
    return std::string((*file)->Read(0, (*file)->size_bytes())->view());
  }
  void Overwrite(const std::string& bytes) {
    const auto file = fs_.OpenForWrite("/file", WriteMode::kTruncate);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(bytes).ok());
    ASSERT_TRUE((*file)->Close().ok());
  }
  // Reads everything; the first error.
  absl::Status ReadEverything() {
    const auto file = SpillFile::Open(fs_, "/file");
    if (!file.ok()) return file.status();
    for (size_t i = 0; i < file->chunk_count(); ++i) {
      const auto chunk = file->ReadChunk(i);
      if (!chunk.ok()) return chunk.status();
    }
    return absl::OkStatus();
  }

  MemoryFileSystem fs_;
  std::string bytes_;
};

TEST_F(SpillFileTest, HoldsWhatTheReadmeSays) {
  // Head, three table entries, checksum, "one", "three".
  EXPECT_EQ(bytes_.size(), 12u + 3 * 16 + 8 + 3 + 5);
  EXPECT_EQ(bytes_.substr(0, 4), "MRSP");
  EXPECT_EQ(bytes_.substr(4, 8), std::string("\1\0\0\0\3\0\0\0", 8));
  EXPECT_EQ(bytes_.substr(12, 8), std::string("\3\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(bytes_.substr(bytes_.size() - 8), "onethree");
}

TEST_F(SpillFileTest, GivesBackItsChunks) {
  const auto file = SpillFile::Open(fs_, "/file");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->chunk_count(), 3u);
  EXPECT_EQ(file->ReadChunk(0)->view(), "one");
  EXPECT_EQ(file->ReadChunk(1)->view(), "");
  EXPECT_EQ(file->ReadChunk(2)->view(), "three");
  EXPECT_FALSE(file->ReadChunk(3).ok());
}

TEST_F(SpillFileTest, EveryChangedByteIsNoticed) {
  for (size_t i = 0; i < bytes_.size(); ++i) {
    std::string changed = bytes_;
    changed[i] = static_cast<char>(changed[i] ^ 0x55);
    Overwrite(changed);
    const absl::Status status = ReadEverything();
    EXPECT_TRUE(absl::IsDataLoss(status)) << i << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("/file"));
  }
}

TEST_F(SpillFileTest, EveryShortFileIsNoticed) {
  for (size_t size = 0; size < bytes_.size(); ++size) {
    Overwrite(bytes_.substr(0, size));
    EXPECT_TRUE(absl::IsDataLoss(ReadEverything())) << size;
  }
  Overwrite(bytes_ + "x");
  EXPECT_TRUE(absl::IsDataLoss(ReadEverything()));
}

TEST_F(SpillFileTest, ATableThatClaimsTheWholeMemoryIsNotBelieved) {
  std::string changed = bytes_;
  changed.replace(8, 4, "\xff\xff\xff\xff");
  Overwrite(changed);
  EXPECT_THAT(std::string(ReadEverything().message()), HasSubstr("too short for a table"));
}

TEST(SpillDirTest, AFailedWriteLeavesNothingBehindAndNamesThePath) {
  MemoryFileSystem fs;
  SpillDir dir(fs, "/spill");
  ASSERT_TRUE(dir.Write("fits", {Buffer::CopyOf("x")}).ok());
  const size_t files = fs.List("/spill")->size();
  fs.SetCapacity(100);
  const auto written = dir.Write("too large", {Buffer(std::string(1000, 'x'))});
  EXPECT_EQ(written.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(written.status().message()), HasSubstr("/spill/"));
  EXPECT_EQ(fs.List("/spill")->size(), files);
}

TEST(SpillDirTest, DiscardedFilesGoAndAllGoInTheEnd) {
  MemoryFileSystem fs;
  {
    SpillDir dir(fs, "/spill");
    EXPECT_FALSE(*fs.Exists("/spill"));
    const std::string first = *dir.Write("block 1", {Buffer::CopyOf("x")});
    const std::string second = *dir.Write("block 1", {Buffer::CopyOf("y")});
    EXPECT_NE(first, second);
    dir.Discard(first);
    EXPECT_TRUE(dir.has_discarded());
    dir.RemoveDiscarded();
    EXPECT_FALSE(dir.has_discarded());
    EXPECT_FALSE(*fs.Exists(first));
    EXPECT_EQ(dir.ReadAll(second)->at(0).view(), "y");
  }
  EXPECT_FALSE(*fs.Exists("/spill"));
}

}  // namespace
}  // namespace millrace::internal
