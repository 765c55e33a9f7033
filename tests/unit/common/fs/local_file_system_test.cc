#include "common/fs/local_file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "common/fs/path.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

class LocalFileSystemTest : public ::testing::Test {
 protected:
  LocalFileSystem fs_;
  TempDir temp_dir_;
  const std::string root_ = temp_dir_.path();
};

TEST_F(LocalFileSystemTest, ModificationTimesAreMilliseconds) {
  const std::string path = JoinPath(root_, "f");
  ASSERT_TRUE((*fs_.OpenForWrite(path, WriteMode::kTruncate))->Close().ok());
  const timespec times[2] = {{.tv_sec = 12, .tv_nsec = 0}, {.tv_sec = 34, .tv_nsec = 567'890'123}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_EQ(fs_.Stat(path)->modified_ms, 34567);
}

TEST_F(LocalFileSystemTest, LinksThatLeadNowhereAreNotListed) {
  ASSERT_EQ(::symlink("/nowhere/at/all", JoinPath(root_, "link").c_str()), 0);
  const auto files = fs_.List(root_);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_TRUE(files->empty());
}

TEST_F(LocalFileSystemTest, DeletingATreeLeavesAloneWhatLinksInItLeadTo) {
  ASSERT_TRUE(fs_.CreateDirs(JoinPath(root_, "kept")).ok());
  ASSERT_TRUE((*fs_.OpenForWrite(JoinPath(root_, "kept/f"), WriteMode::kTruncate))->Close().ok());
  ASSERT_TRUE(fs_.CreateDirs(JoinPath(root_, "tree")).ok());
  ASSERT_EQ(::symlink(JoinPath(root_, "kept").c_str(), JoinPath(root_, "tree/link").c_str()), 0);
  ASSERT_TRUE(fs_.DeleteRecursively(JoinPath(root_, "tree")).ok());
  EXPECT_TRUE(*fs_.Exists(JoinPath(root_, "kept/f")));
}

TEST_F(LocalFileSystemTest, AFullDiskIsResourceExhausted) {
  auto full = fs_.OpenForWrite("/dev/full", WriteMode::kAppend);
  ASSERT_TRUE(full.ok()) << full.status();
  ASSERT_TRUE((*full)->Append("x").ok());
  const absl::Status status = (*full)->Flush();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "cannot write '/dev/full': No space left on device");
  EXPECT_EQ((*full)->Append("y"), status);  // It sticks.
  EXPECT_EQ((*full)->Sync(), status);
}

}  // namespace
}  // namespace millrace
