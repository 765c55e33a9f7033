#include "client/sink/stream_output.h"

#include <millrace/testing.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using internal::FormatBatch;
using internal::OutputPath;
using ::testing::HasSubstr;

constexpr char kHead[] =
    "-------------------------------------------\n"
    "Time: 1357008430000 ms\n"
    "-------------------------------------------\n";

TEST(FormatBatchTest, HeadRecordsBlankLine) {
  EXPECT_EQ(FormatBatch(Time(1357008430000), {"(hello,1)", "(world,1)"}, 10),
            std::string(kHead) + "(hello,1)\n(world,1)\n\n");
}

TEST(FormatBatchTest, EmptyBatchHasItsHead) {
  EXPECT_EQ(FormatBatch(Time(1357008430000), {}, 10), std::string(kHead) + "\n");
}

TEST(FormatBatchTest, DotsWhereThereIsMore) {
  EXPECT_EQ(FormatBatch(Time(1357008430000), {"a", "b"}, 2), std::string(kHead) + "a\nb\n\n");
  EXPECT_EQ(FormatBatch(Time(1357008430000), {"a", "b", "c"}, 2),
            std::string(kHead) + "a\nb\n...\n\n");
}

TEST(OutputPathTest, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(OutputPath("out/counts", "txt", Time(1000)), "out/counts-1000.txt");
  EXPECT_EQ(OutputPath("counts", "", Time(1000)), "counts-1000");
  EXPECT_EQ(OutputPath("", "", Time(1000)), "1000");
}

TEST(PrintTest, WritesEachBatchInOnePiece) {
  testing::StreamHarness h(1s);
  std::vector<int64_t> many(12);
  std::iota(many.begin(), many.end(), 1);
  h.Input<int64_t>({many, {}}).Print();
  h.Input<std::pair<std::string, double>>({{{"x", 2.0}}}).Print(1);
  ::testing::internal::CaptureStdout();
  ASSERT_TRUE(h.RunBatches(2).ok());
  const std::string rule(43, '-');
  const std::string head1 = rule + "\nTime: 1000 ms\n" + rule + "\n";
  const std::string head2 = rule + "\nTime: 2000 ms\n" + rule + "\n";
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            head1 + "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n...\n\n" + head1 + "(x,2.0)\n\n" + head2 +
                "\n" + head2 + "\n");
}

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::string> FilesIn(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(SaveAsTextFilesTest, OneDirectoryABatch) {
  const TempDir dir;
  testing::StreamHarness h(1s);
  h.Input<int64_t>({{1, 2, 3}, {}}).SaveAsTextFiles(dir.path() + "/numbers", "txt");
  const absl::Status status = h.RunBatches(2);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(FilesIn(dir.path()),
            (std::vector<std::string>{"numbers-1000.txt", "numbers-2000.txt"}));
  const std::string first = dir.path() + "/numbers-1000.txt";
  EXPECT_EQ(FilesIn(first), (std::vector<std::string>{"_SUCCESS", "part-00000", "part-00001"}));
  EXPECT_EQ(ReadFile(first + "/part-00000"), "1\n");
  EXPECT_EQ(ReadFile(first + "/part-00001"), "2\n3\n");
}

TEST(SaveAsTextFilesTest, ABatchReplacesItsOwnDirectory) {
  const TempDir dir;
  const std::string own = dir.path() + "/numbers-1000";
  std::filesystem::create_directory(own);
  std::ofstream(own + "/part-00007") << "old";
  testing::StreamHarness h(1s);
  h.Input<int64_t>({{1}}, 1).SaveAsTextFiles(dir.path() + "/numbers");
  const absl::Status status = h.RunBatches(1);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(FilesIn(own), (std::vector<std::string>{"_SUCCESS", "part-00000"}));
}

TEST(SaveAsTextFilesTest, ErrorNamesThePath) {
  const TempDir dir;
  std::ofstream(dir.path() + "/file") << "in the way";
  testing::StreamHarness h(1s);
  h.Input<int64_t>({{1}}).SaveAsTextFiles(dir.path() + "/file/numbers");
  const absl::Status status = h.RunBatches(1);
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir.path() + "/file"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("SaveAsTextFiles at stream_output_test.cc"));
}

}  // namespace
}  // namespace millrace
