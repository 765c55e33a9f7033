#include "common/fs/rotating_file.h"

#include "common/fs/file_util.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

class RotatingFileTest : public ::testing::Test {
 protected:
  RotatingFile Make(int64_t bytes_max, int files_max, std::string head = "") {
    return RotatingFile(fs_, {.path = "/logs/app/events",
                              .bytes_max = bytes_max,
                              .files_max = files_max,
                              .head = std::move(head)});
  }
  std::string Contents(const std::string& path) {
    return ReadWholeFile(fs_, path, 1 << 20).value_or("none");
  }

  MemoryFileSystem fs_;
};

TEST_F(RotatingFileTest, MakesItsDirectoryAndGoesOnBehindWhatIsThere) {
  ASSERT_TRUE(Make(100, 2, "head\n").Append("one\n").ok());
  RotatingFile again = Make(100, 2, "head\n");
  ASSERT_TRUE(again.Append("two\n").ok());
  EXPECT_EQ(Contents("/logs/app/events"), "head\none\ntwo\n");
}

TEST_F(RotatingFileTest, KeepsTheNewestFilesEachWithinItsSize) {
  RotatingFile file = Make(/*bytes_max=*/12, /*files_max=*/3, "h\n");
  for (const char* line : {"aaaa\n", "bbbb\n", "cccc\n", "dddd\n", "eeee\n", "ffff\n", "gggg\n"}) {
    ASSERT_TRUE(file.Append(line).ok());
  }
  EXPECT_EQ(Contents("/logs/app/events"), "h\ngggg\n");
  EXPECT_EQ(Contents("/logs/app/events.1"), "h\neeee\nffff\n");
  EXPECT_EQ(Contents("/logs/app/events.2"), "h\ncccc\ndddd\n");
  EXPECT_EQ(Contents("/logs/app/events.3"), "none");
}

TEST_F(RotatingFileTest, ALargerTextGetsAFileOfItsOwn) {
  RotatingFile file = Make(/*bytes_max=*/4, /*files_max=*/2, "h\n");
  ASSERT_TRUE(file.Append("0123456789\n").ok());
  ASSERT_TRUE(file.Append("abcdefghij\n").ok());
  EXPECT_EQ(Contents("/logs/app/events"), "h\nabcdefghij\n");
  EXPECT_EQ(Contents("/logs/app/events.1"), "h\n0123456789\n");
}

TEST_F(RotatingFileTest, AloneItBeginsAnew) {
  RotatingFile file = Make(/*bytes_max=*/6, /*files_max=*/1);
  ASSERT_TRUE(file.Append("aaaa\n").ok());
  ASSERT_TRUE(file.Append("bbbb\n").ok());
  EXPECT_EQ(Contents("/logs/app/events"), "bbbb\n");
  EXPECT_THAT(fs_.AllPaths(), ElementsAre("/logs", "/logs/app", "/logs/app/events"));
}

TEST_F(RotatingFileTest, GoesOnWithAWholeLineWhenTheDiskHasRoomAgain) {
  RotatingFile file = Make(100, 2);
  fs_.SetCapacity(10);
  ASSERT_TRUE(file.Append("first\n").ok());
  const absl::Status full = file.Append("second\n");
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  fs_.SetCapacity(1000);
  ASSERT_TRUE(file.Append("third\n").ok());
  const std::string contents = Contents("/logs/app/events");
  EXPECT_THAT(contents, ::testing::StartsWith("first\n"));
  EXPECT_THAT(contents, ::testing::EndsWith("\nthird\n"));
}

TEST_F(RotatingFileTest, WhatCannotBeRenamedIsAnErrorAndNothingIsTruncated) {
  RotatingFile file = Make(/*bytes_max=*/6, /*files_max=*/2);
  ASSERT_TRUE(file.Append("aaaa\n").ok());
  fs_.SetFault([](FileOp op, const std::string& path) {
    return op == FileOp::kRename ? absl::PermissionDeniedError("no: " + path) : absl::OkStatus();
  });
  EXPECT_EQ(file.Append("bbbb\n").code(), absl::StatusCode::kPermissionDenied);
  fs_.SetFault(nullptr);
  ASSERT_TRUE(file.Append("cccc\n").ok());
  EXPECT_EQ(Contents("/logs/app/events"), "cccc\n");
  EXPECT_THAT(Contents("/logs/app/events.1"), ::testing::StartsWith("aaaa\n"));
}

}  // namespace
}  // namespace millrace
