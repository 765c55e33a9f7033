#include "common/fs/file_util.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/memory_file_system.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ReadWholeFileTest, RefusesAFileThatIsTooLarge) {
  MemoryFileSystem fs;
  ASSERT_TRUE(WriteFileAtomically(fs, "/f", "12345").ok());
  EXPECT_EQ(*ReadWholeFile(fs, "/f", 5), "12345");
  const absl::Status status = ReadWholeFile(fs, "/f", 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'/f' has 5 bytes; at most 4"));
}

class WriteFileAtomicallyTest : public ::testing::TestWithParam<FileOp> {};

TEST_P(WriteFileAtomicallyTest, AnErrorLeavesTheOldContents) {
  MemoryFileSystem fs;
  ASSERT_TRUE(WriteFileAtomically(fs, "/f", "old").ok());
  fs.SetFault([](FileOp op, const std::string&) {
    return op == GetParam() ? absl::UnavailableError("broken") : absl::OkStatus();
  });
  EXPECT_EQ(WriteFileAtomically(fs, "/f", "new"), absl::UnavailableError("broken"));
  fs.SetFault(nullptr);
  fs.LoseUnsynced();
  EXPECT_EQ(*ReadWholeFile(fs, "/f", 10), "old");
  EXPECT_THAT(fs.AllPaths(), ElementsAre("/f"));
}

INSTANTIATE_TEST_SUITE_P(Fault, WriteFileAtomicallyTest,
                         ::testing::Values(FileOp::kOpenForWrite, FileOp::kAppend, FileOp::kSync,
                                           FileOp::kRename));

TEST(AtomicWriteTest, SurvivesAPowerFailureOnceWritten) {
  MemoryFileSystem fs;
  ASSERT_TRUE(WriteFileAtomically(fs, "/f", "old").ok());
  ASSERT_TRUE(WriteFileAtomically(fs, "/f", "new").ok());
  fs.LoseUnsynced();
  EXPECT_EQ(*ReadWholeFile(fs, "/f", 10), "new");
}

}  // namespace
}  // namespace millrace
