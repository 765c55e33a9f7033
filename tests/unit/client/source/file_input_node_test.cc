#include "client/source/file_input_node.h"

#include <fcntl.h>
#include <millrace/testing.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::StreamHarness;

using Lines = std::vector<std::vector<std::string>>;

class FileStreamTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return dir_.path() + "/" + name; }

  // Files are dated on the harness's clock, which begins at 0.
  void Write(const std::string& name, const std::string& text, int64_t modified_ms) const {
    std::ofstream(Path(name)) << text;
    SetModified(name, modified_ms);
  }
  void SetModified(const std::string& name, int64_t modified_ms) const {
    const timespec time{modified_ms / 1000, modified_ms % 1000 * 1'000'000};
    const timespec times[] = {time, time};
    ASSERT_EQ(utimensat(AT_FDCWD, Path(name).c_str(), times, 0), 0);
  }
  auto TextOutput(const FileStreamOptions& options = {}) {
    return h_.Output(h_.context().TextFileStream(dir_.path(), options));
  }

  const TempDir dir_;
  StreamHarness h_{1s};
};

TEST_F(FileStreamTest, BatchHasTheFilesThatCameInItsTime) {
  auto out = TextOutput();
  Write("a", "a1\na2\n", 500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  Write("b", "b1", 1000);
  Write("c", "c1\n", 2000);
  ASSERT_TRUE(h_.RunBatches(2).ok());
  EXPECT_EQ(out.batches(), (Lines{{"a1", "a2"}, {"b1", "c1"}, {}}));
}

TEST_F(FileStreamTest, AFileDatedInTheFutureWaits) {
  auto out = TextOutput();
  Write("later", "x\n", 2500);
  ASSERT_TRUE(h_.RunBatches(3).ok());
  EXPECT_EQ(out.batches(), (Lines{{}, {}, {"x"}}));
}

TEST_F(FileStreamTest, WhatIsAddedToATakenFileIsNotRead) {
  auto out = TextOutput();
  Write("a", "1\n", 500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  Write("a", "1\n2\n", 1500);
  ASSERT_TRUE(h_.RunBatches(2).ok());
  EXPECT_EQ(out.batches(), (Lines{{"1"}, {}, {}}));
}

TEST_F(FileStreamTest, OldFilesAreNotTaken) {
  auto out = TextOutput();
  ASSERT_TRUE(h_.RunBatches(61).ok());
  Write("old", "old\n", 1000);
  Write("new", "new\n", 61'500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  EXPECT_EQ(out.batches().back(), (std::vector<std::string>{"new"}));
}

TEST_F(FileStreamTest, FilesOfBeforeTheStreamAreNotTaken) {
  Write("before", "x\n", 0);
  auto new_only = TextOutput();
  ASSERT_TRUE(h_.RunBatches(1).ok());
  EXPECT_EQ(new_only.batches(), (Lines{{}}));
}

TEST_F(FileStreamTest, HiddenFilesAndDirectoriesAreLeftOut) {
  auto out = TextOutput();
  Write(".hidden", "x\n", 500);
  Write("_unfinished", "x\n", 500);
  Write("seen", "y\n", 500);
  std::filesystem::create_directory(Path("folder"));
  SetModified("folder", 500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (Lines{{"y"}}));
}

TEST_F(FileStreamTest, FilterDecidesByName) {
  FileStreamOptions options;
  options.filter = [](std::string_view name) { return name.ends_with(".log"); };
  auto out = TextOutput(options);
  Write("a.log", "a\n", 500);
  Write("a.txt", "b\n", 500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (Lines{{"a"}}));
}

TEST_F(FileStreamTest, AMissingDirectoryCostsNoBatch) {
  auto out = h_.Output(h_.context().TextFileStream(Path("soon")));
  ASSERT_TRUE(h_.RunBatches(1).ok());
  std::filesystem::create_directory(Path("soon"));
  Write("soon/a", "1\n", 1500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (Lines{{}, {"1"}}));
}

TEST_F(FileStreamTest, AFileThatIsGoneCostsNoBatch) {
  auto lines = h_.context().TextFileStream(dir_.path());
  auto out = h_.Output(lines.Transform([this](const RDD<std::string_view>& rdd) {
    std::filesystem::remove(Path("gone"));
    return rdd;
  }));
  Write("gone", "1\n", 500);
  Write("here", "2\n", 500);
  const absl::Status status = h_.RunBatches(1);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(), (Lines{{"2"}}));
}

TEST_F(FileStreamTest, DirectoriesMayHaveWildcards) {
  for (const char* name : {"x1", "x2", "y"}) std::filesystem::create_directory(Path(name));
  auto out = h_.Output(h_.context().TextFileStream(Path("x*")));
  Write("x1/a", "1\n", 500);
  Write("x2/a", "2\n", 500);
  Write("y/a", "3\n", 500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (Lines{{"1", "2"}}));
}

TEST_F(FileStreamTest, ParsersSeeWholeFiles) {
  auto words = h_.context().FileStream<std::string_view>(
      dir_.path(), [](std::string_view contents) { return Split(contents, ','); });
  auto sizes = h_.context().FileStream<int64_t>(
      dir_.path(), [](std::string_view contents, Emitter<int64_t>& emit) {
        emit(static_cast<int64_t>(contents.size()));
      });
  auto out = h_.Output(words);
  auto out_sizes = h_.Output(sizes);
  Write("a", "1,2", 500);
  Write("b", "3\n", 600);
  const absl::Status status = h_.RunBatches(1);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(), (Lines{{"1", "2", "3\n"}}));
  EXPECT_EQ(out_sizes.batches(), (std::vector<std::vector<int64_t>>{{3, 2}}));
}

}  // namespace
}  // namespace millrace
