#include "client/cluster/local_work_dir.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "common/fs/local_file_system.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace::internal {
namespace {

namespace stdfs = std::filesystem;

class LocalWorkDirTest : public ::testing::Test {
 protected:
  std::unique_ptr<LocalWorkDir> Make() {
    auto made = LocalWorkDir::Make(local_dir_, fs_);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  std::string LeaveOver(const std::string& name) const {
    std::string path = local_dir_ + "/" + name;
    stdfs::create_directories(path + "/worker-1");
    std::ofstream(path + "/secret") << "of nobody";
    return path;
  }

  const TempDir directory_;
  const std::string local_dir_ = directory_.path() + "/local";
  LocalFileSystem fs_;
};

TEST_F(LocalWorkDirTest, IsForItsUserAloneAndGoesWithItsOwner) {
  std::unique_ptr<LocalWorkDir> work_dir = Make();
  const std::string path = work_dir->path();
  EXPECT_EQ(path, local_dir_ + "/millrace-" + work_dir->id());
  EXPECT_EQ(stdfs::status(path).permissions(), stdfs::perms::owner_all);
  std::ofstream(path + "/secret") << "a secret";
  work_dir.reset();
  EXPECT_FALSE(stdfs::exists(path));
}

TEST_F(LocalWorkDirTest, RemovesWhatAKilledProcessHasLeft) {
  const std::string killed = LeaveOver("millrace-local-cluster-4711-0");
  const std::unique_ptr<LocalWorkDir> work_dir = Make();
  EXPECT_FALSE(stdfs::exists(killed));
}

TEST_F(LocalWorkDirTest, TakesAnotherNameThanOneThatIsThere) {
  const std::unique_ptr<LocalWorkDir> first = Make();
  const std::unique_ptr<LocalWorkDir> second = Make();
  EXPECT_NE(first->path(), second->path());
  EXPECT_TRUE(stdfs::exists(first->path())) << "its owner lives";
}

TEST_F(LocalWorkDirTest, LeavesAloneWhatIsNotItsKind) {
  const std::string other = LeaveOver("somebody-elses");
  const std::string link = local_dir_ + "/millrace-local-cluster-4711-1";
  stdfs::create_directory_symlink(other, link);
  const std::string file = local_dir_ + "/millrace-local-cluster-4711-2";
  std::ofstream(file) << "a file";
  Make();
  EXPECT_TRUE(stdfs::exists(other + "/secret"));
  EXPECT_TRUE(stdfs::is_symlink(link));
  EXPECT_TRUE(stdfs::exists(file));
}

TEST_F(LocalWorkDirTest, SaysWhyItCannotBeMade) {
  std::ofstream(directory_.path() + "/file") << "no directory";
  const auto made = LocalWorkDir::Make(directory_.path() + "/file", fs_);
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(std::string(made.status().message()), ::testing::HasSubstr("/file"));
}

}  // namespace
}  // namespace millrace::internal
