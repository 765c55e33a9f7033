#include "common/artifact/artifact_transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/crypto/sha256.h"
#include "common/fs/file_util.h"
#include "tests/support/memory_file_system.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

class DescribeProgramTest : public ::testing::Test {
 protected:
  DescribeProgramTest() {
    for (const char* name : {"/bin/count", "/a/words", "/b/words", "/b/empty"}) Write(name);
  }
  void Write(const std::string& path) {
    EXPECT_TRUE(fs_.CreateDirs(path.substr(0, path.rfind('/'))).ok());
    EXPECT_EQ(WriteFileAtomically(fs_, path, path), absl::OkStatus());
  }

  MemoryFileSystem fs_;
  proto::Program program_;
};

TEST_F(DescribeProgramTest, SaysWhatEveryFileHoldsAndIsCalled) {
  const auto files = DescribeProgram(fs_, "/bin/count", "/a/words,,/b/empty", program_);
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 3u);
  EXPECT_EQ(files->at(1).path, "/a/words");
  EXPECT_EQ(program_.sha256(), Sha256Hex("/bin/count"));
  ASSERT_EQ(program_.files_size(), 2);
  EXPECT_EQ(program_.files(0).name(), "words");
  EXPECT_EQ(program_.files(0).sha256(), Sha256Hex("/a/words"));
  EXPECT_EQ(program_.files(1).name(), "empty");
}

TEST_F(DescribeProgramTest, TwoFilesOfOneNameWouldBeOne) {
  const absl::Status status =
      DescribeProgram(fs_, "/bin/count", "/a/words,/b/words", program_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'words'"));
}

}  // namespace
}  // namespace millrace
