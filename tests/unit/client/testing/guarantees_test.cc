// What client/README.md promises and no test of another concept shows: how often records of each
// source count when the driver is gone.
#include <fcntl.h>
#include <millrace/testing.h>
#include <sys/stat.h>

#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;
using Count = std::pair<std::string, int64_t>;

template <class Lines>
auto RunningCounts(const Lines& lines) {
  return lines.Map([](std::string_view line) { return std::pair(std::string(line), int64_t{1}); })
      .template UpdateStateByKey<int64_t>(
          [](const std::string&, std::span<const int64_t> ones, std::optional<int64_t> count) {
            return std::optional(count.value_or(0) + std::ssize(ones));
          });
}

std::map<std::string, int64_t> Last(const StreamOutput<Count>& output) {
  const auto& last = output.batches().back();
  return {last.begin(), last.end()};
}

class GuaranteesTest : public ::testing::Test {
 protected:
  // Dated on the harness's clock.
  void WriteFile(const std::string& name, const std::string& text, int64_t modified_ms) const {
    const std::string path = files_.path() + "/" + name;
    std::ofstream(path) << text;
    const timespec time{modified_ms / 1000, modified_ms % 1000 * 1'000'000};
    const timespec times[] = {time, time};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }

  const TempDir files_;
  const TempDir directory_;
  StreamHarness h_{1s, {.checkpoint_dir = directory_.path()}};
};

// Also those of a batch whose state was never saved, which the next driver reads again.
TEST_F(GuaranteesTest, LinesOfFilesCountOnceWhicheverDriverReadsThem) {
  auto counts = h_.Output(RunningCounts(h_.context().TextFileStream(files_.path())));
  WriteFile("a", "x\ny\n", 500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  WriteFile("b", "x\n", 1500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  ASSERT_TRUE(h_.RestartDriver().ok());
  WriteFile("c", "x\nz\n", 2500);
  ASSERT_TRUE(h_.RunBatches(1).ok());
  EXPECT_EQ(Last(counts), (std::map<std::string, int64_t>{{"x", 3}, {"y", 1}, {"z", 1}}));
}

// What a queue held is gone; nothing comes twice.
TEST_F(GuaranteesTest, DataSetsOfAQueueCountAtMostOnce) {
  std::deque<RDD<std::string>> queue;
  const auto push = [&](std::vector<std::string> texts) {
    const std::lock_guard lock(h_.context().QueueMutex());
    queue.push_back(h_.context().context().Parallelize(std::move(texts)));
  };
  auto counts = h_.Output(RunningCounts(h_.context().QueueStream(queue)));
  push({"x"});
  ASSERT_TRUE(h_.RunBatches(1).ok());
  ASSERT_TRUE(h_.RestartDriver().ok());
  push({"x", "y"});
  ASSERT_TRUE(h_.RunBatches(1).ok());
  const auto last = Last(counts);
  EXPECT_LE(last.at("x"), 2);
  EXPECT_EQ(last.at("y"), 1);
}

}  // namespace
}  // namespace millrace::testing
