// Streams without state whose data sets are saved.
#include <millrace/testing.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using Numbers = std::vector<int64_t>;

class SavedDataSetsTest : public ::testing::Test {
 protected:
  std::string Directory() const { return dir_.path() + "/rdds"; }
  // Of batches, in seconds.
  std::multiset<int64_t> SavedTimes() const {
    std::multiset<int64_t> times;
    std::error_code none_yet;
    for (const auto& entry : std::filesystem::directory_iterator(Directory(), none_yet)) {
      const std::string name = entry.path().filename();
      if (!name.starts_with(".")) times.insert(std::stoll(name.substr(name.find('-') + 1)) / 1000);
    }
    return times;
  }
  StreamHarness::Options Options() const { return {.checkpoint_dir = dir_.path()}; }

  const TempDir dir_;
};

Numbers Sorted(Numbers numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

TEST_F(SavedDataSetsTest, EveryIntervalADataSetBeginsAnew) {
  StreamHarness h(1s, Options());
  auto in = h.Input<int64_t>({{1, 2, 3}, {4, 5, 6}, {7}, {8, 9}}, 2);
  auto saved = in.Map([](int64_t x) { return 10 * x; }).Checkpoint(2s);
  auto out = h.Output(saved.Window(4s));
  ASSERT_TRUE(h.RunBatches(4).ok());
  EXPECT_THAT(SavedTimes(), ElementsAre(2, 4));
  for (const int64_t time : {1, 2, 3, 4}) {
    const auto slice = saved.Slice(Time(time * 1000), Time(time * 1000));
    ASSERT_TRUE(slice.ok() && slice->size() == 1) << slice.status();
    EXPECT_EQ(slice->front().node()->dependencies.empty(), time % 2 == 0) << time;
    EXPECT_EQ(slice->front().NumPartitions(), 2);
  }
  EXPECT_EQ(Sorted(*saved.Slice(Time(2000), Time(2000))->front().Collect()), (Numbers{40, 50, 60}));
  EXPECT_EQ(Sorted(out.batches().back()), (Numbers{10, 20, 30, 40, 50, 60, 70, 80, 90}));
}

TEST_F(SavedDataSetsTest, WhatNoBatchLooksBackAtIsRemoved) {
  StreamHarness h(1s, Options());
  auto saved = h.Input<int64_t>({{1}, {2}, {3}}).Filter([](int64_t) { return true; });
  h.Output(saved.Checkpoint(1s).Window(3s));
  h.Output(h.context().TextFileStream(dir_.path()));  // So a checkpoint is written for each batch.
  ASSERT_TRUE(h.RunBatches(20).ok());
  EXPECT_THAT(SavedTimes(), SizeIs(::testing::Le(8)));
  EXPECT_GE(*SavedTimes().begin(), 13);
  EXPECT_EQ(*SavedTimes().rbegin(), 20);
  // Also what earlier drivers have saved, and what they were about to.
  std::filesystem::create_directories(Directory() + "/.0123456789abcdef-1000-2.x-1.tmp");
  std::filesystem::create_directories(Directory() + "/0123456789abcdef-19000-2");
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(h.RunBatches(10).ok());
  EXPECT_GE(*SavedTimes().begin(), 23);
  EXPECT_FALSE(std::filesystem::exists(Directory() + "/0123456789abcdef-19000-2"));
  EXPECT_FALSE(std::filesystem::exists(Directory() + "/.0123456789abcdef-1000-2.x-1.tmp"));
}

// What was in a queue is gone with the driver.
TEST_F(SavedDataSetsTest, TheNextDriverHasThemInItsWindows) {
  for (const bool is_saved : {false, true}) {
    const TempDir dir;
    StreamHarness h(1s, {.checkpoint_dir = dir.path()});
    std::deque<RDD<int64_t>> queue;
    for (const int64_t x : {1, 2, 3, 4, 5, 6}) {
      queue.push_back(h.context().context().Parallelize<int64_t>({x}));
    }
    auto numbers = h.context().QueueStream(queue).Map([](int64_t x) { return 10 * x; });
    if (is_saved) numbers.Checkpoint(1s);
    auto out = h.Output(numbers.Window(3s));
    ASSERT_TRUE(h.RunBatches(3).ok());
    ASSERT_TRUE(h.RestartDriver().ok());
    ASSERT_TRUE(h.RunBatches(3).ok());
    EXPECT_THAT(out.batches()[2], UnorderedElementsAre(10, 20, 30));
    if (is_saved) {
      EXPECT_THAT(out.batches()[3], UnorderedElementsAre(20, 30, 40));
      EXPECT_THAT(out.batches()[4], UnorderedElementsAre(30, 40, 50));
    } else {
      EXPECT_THAT(out.batches()[3], ElementsAre(40));
    }
    EXPECT_THAT(out.batches()[5], UnorderedElementsAre(40, 50, 60));
  }
}

TEST_F(SavedDataSetsTest, WhatIsNotAllThereIsMadeOnceMore) {
  StreamHarness h(1s, Options());
  auto in = h.Input<int64_t>({{1, 2}, {3, 4}, {5, 6}}, 2);
  auto out = h.Output(in.Map([](int64_t x) { return 10 * x; }).Checkpoint(1s).Window(2s));
  ASSERT_TRUE(h.RunBatches(2).ok());
  for (const auto& entry : std::filesystem::directory_iterator(Directory())) {
    ASSERT_TRUE(std::filesystem::remove(entry.path() / "part-00001"));
  }
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_THAT(out.batches().back(), UnorderedElementsAre(30, 40, 50, 60));
}

TEST_F(SavedDataSetsTest, BatchesGoOnWithoutWhatCannotBeWritten) {
  std::ofstream(Directory()) << "no directory";
  StreamHarness h(1s);
  h.context().Checkpoint(dir_.path());
  h.Output(h.Input<int64_t>({{1}}).Map([](int64_t x) { return x; }).Checkpoint(1s));
  const absl::Status refused = h.RunBatches(1);
  EXPECT_THAT(refused.ToString(), ::testing::HasSubstr(Directory()));
  std::filesystem::remove(Directory());

  StreamHarness next(1s, Options());
  auto out = next.Output(next.Input<int64_t>({{1}, {2}, {3}}).Checkpoint(1s));
  ASSERT_TRUE(next.RunBatches(1).ok());
  std::filesystem::remove_all(Directory());
  std::ofstream(Directory()) << "no directory";
  ASSERT_TRUE(next.RunBatches(1).ok());
  std::filesystem::remove(Directory());
  ASSERT_TRUE(next.RunBatches(1).ok());
  EXPECT_THAT(out.batches(), ElementsAre(ElementsAre(1), ElementsAre(2), ElementsAre(3)));
  EXPECT_THAT(SavedTimes(), ElementsAre(3));
}

// Its records would be read as what they are not.
TEST_F(SavedDataSetsTest, RecordsOfAnotherTypeAreNotThoseOfTheStream) {
  std::deque<RDD<int64_t>> queue;
  {
    StreamHarness h(1s, Options());
    queue.push_back(h.context().context().Parallelize<int64_t>({1}));
    h.Output(h.context().QueueStream(queue).Checkpoint(1s).Name("numbers").Window(3s));
    ASSERT_TRUE(h.RunBatches(1).ok());
  }
  EXPECT_THAT(SavedTimes(), ElementsAre(1));
  StreamHarness h(1s, Options());
  std::deque<RDD<std::string>> texts;
  auto out = h.Output(h.context().QueueStream(texts).Checkpoint(1s).Name("numbers").Window(3s));
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_THAT(out.batches().back(), IsEmpty());
}

}  // namespace
}  // namespace millrace::testing
