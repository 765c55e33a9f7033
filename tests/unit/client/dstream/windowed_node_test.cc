#include "client/dstream/windowed_node.h"

#include <millrace/testing.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::StreamHarness;

using Numbers = std::vector<std::vector<int64_t>>;
using Counts = std::vector<std::vector<std::pair<int64_t, int64_t>>>;

testing::Batches<int64_t> OneNumberABatch(int batches) {
  Numbers numbers;
  for (int i = 0; i < batches; ++i) numbers.push_back({i});
  return numbers;
}

Numbers WindowsOf(std::chrono::milliseconds length, std::chrono::milliseconds slide, int batches) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>(OneNumberABatch(batches), 1).Window(length, slide));
  const absl::Status status = h.RunBatches(batches);
  EXPECT_TRUE(status.ok()) << status;
  return out.batches();
}

template <class T>
std::vector<std::vector<T>> Sorted(std::vector<std::vector<T>> batches) {
  for (std::vector<T>& batch : batches) std::sort(batch.begin(), batch.end());
  return batches;
}

TEST(WindowTest, SlidesByOneBatch) {
  EXPECT_EQ(WindowsOf(2s, 1s, 4), (Numbers{{0}, {0, 1}, {1, 2}, {2, 3}}));
}

TEST(WindowTest, FirstWindowsHoldWhatThereIs) {
  EXPECT_EQ(WindowsOf(4s, 2s, 6), (Numbers{{0, 1}, {0, 1, 2, 3}, {2, 3, 4, 5}}));
}

TEST(WindowTest, SlideLongerThanTheWindowLeavesGaps) {
  EXPECT_EQ(WindowsOf(2s, 3s, 6), (Numbers{{1, 2}, {4, 5}}));
}

TEST(WindowTest, SlideAsLongAsTheWindowTumbles) {
  EXPECT_EQ(WindowsOf(2s, 2s, 4), (Numbers{{0, 1}, {2, 3}}));
}

TEST(WindowTest, WindowsOfWindowsAddUp) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>(OneNumberABatch(4), 1).Window(2s, 1s).Window(2s, 2s));
  ASSERT_TRUE(h.RunBatches(4).ok());
  EXPECT_EQ(out.batches(), (Numbers{{0, 0, 1}, {1, 2, 2, 3}}));
}

TEST(WindowTest, BatchesWithoutDataSetAddNothing) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>({{1}, std::nullopt, {3}}, 1).Window(2s));
  ASSERT_TRUE(h.RunBatches(4).ok());
  EXPECT_EQ(out.batches(), (Numbers{{1}, {1}, {3}, {3}}));
}

TEST(WindowTest, LengthAndSlideMustFitTheStream) {
  StreamHarness h(2s);
  auto in = h.Input<int64_t>({});
  h.Output(in.Window(3s));
  h.Output(in.Window(4s, 1s));
  h.Output(in.Window(0s));
  const absl::Status status = h.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("3 errors"));
  EXPECT_THAT(message, HasSubstr("Window at windowed_node_test.cc:"));
  EXPECT_THAT(message, HasSubstr("length of 3000 ms"));
  EXPECT_THAT(message, HasSubstr("slide of 1000 ms"));
  EXPECT_THAT(message, HasSubstr("length of 0 ms"));
}

TEST(WindowTest, ReduceByWindowHasNoRecordForEmptyWindows) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>({{1, 2}, {3}}).ReduceByWindow(std::plus<>(), 2s, 1s));
  ASSERT_TRUE(h.RunBatches(4).ok());
  EXPECT_EQ(out.batches(), (Numbers{{3}, {6}, {3}, {}}));
}

TEST(WindowTest, CountByWindowCountsFromTheStart) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>({{}, {1, 2}, {3}}).CountByWindow(2s, 1s));
  ASSERT_TRUE(h.RunBatches(5).ok());
  EXPECT_EQ(out.batches(), (Numbers{{0}, {2}, {3}, {1}, {0}}));
}

TEST(WindowTest, CountByWindowCountsWindowsWithoutAnyDataSet) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>({std::nullopt, {1, 2}}).CountByWindow(1s, 1s));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(out.batches(), (Numbers{{0}, {2}}));
}

TEST(WindowTest, ReduceByWindowWithInverseStaysOnceItHasData) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto out = h.Output(
      h.Input<int64_t>({{}, {1, 2}, {3}}).ReduceByWindow(std::plus<>(), std::minus<>(), 2s, 1s));
  const absl::Status status = h.RunBatches(5);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(), (Numbers{{}, {3}, {6}, {3}, {0}}));
}

std::pair<int64_t, int64_t> WithOne(int64_t x) { return {x, 1}; }

TEST(WindowTest, ReduceByKeyAndWindowForgetsWhatLeft) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>({{1, 1, 2}, {1}, {3}})
                          .Map(Fn<&WithOne>)
                          .ReduceByKeyAndWindow(std::plus<>(), 2s, 1s));
  ASSERT_TRUE(h.RunBatches(5).ok());
  EXPECT_EQ(Sorted(out.batches()),
            (Counts{{{1, 2}, {2, 1}}, {{1, 3}, {2, 1}}, {{1, 1}, {3, 1}}, {{3, 1}}, {}}));
}

TEST(WindowTest, CombinedBatchesAreNotShuffledAgain) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>({{1, 2, 3}, {4, 5}})
                          .Map(Fn<&WithOne>)
                          .ReduceByKeyAndWindow(std::plus<>(), 2s, 1s, 3));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(out.partition_counts(), (std::vector<int>{3, 3}));
}

TEST(WindowTest, ReduceByKeyAndWindowWithInverseKeepsKeysWithoutFilter) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto out = h.Output(h.Input<int64_t>({{1, 1, 2}, {1}, {3}})
                          .Map(Fn<&WithOne>)
                          .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 2s, 1s));
  const absl::Status status = h.RunBatches(5);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Sorted(out.batches()), (Counts{{{1, 2}, {2, 1}},
                                           {{1, 3}, {2, 1}},
                                           {{1, 1}, {2, 0}, {3, 1}},
                                           {{1, 0}, {2, 0}, {3, 1}},
                                           {{1, 0}, {2, 0}, {3, 0}}}));
}

TEST(WindowTest, FilterDropsKeysForGood) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto out = h.Output(h.Input<int64_t>({{1, 1, 2}, {1}, {3}, {}, {}, {2}})
                          .Map(Fn<&WithOne>)
                          .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 2s, 1s,
                                                [](const std::pair<int64_t, int64_t>& count) {
                                                  return count.second != 0;
                                                }));
  const absl::Status status = h.RunBatches(6);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Sorted(out.batches()),
            (Counts{{{1, 2}, {2, 1}}, {{1, 3}, {2, 1}}, {{1, 1}, {3, 1}}, {{3, 1}}, {}, {{2, 1}}}));
}

TEST(WindowTest, InverseWindowsMaySlideByMoreThanABatch) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto pairs = h.Input<int64_t>(OneNumberABatch(9), 1).Map([](int64_t x) {
    return std::pair(int64_t{0}, x);
  });
  auto overlapping = h.Output(pairs.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 4s, 2s));
  auto with_gaps = h.Output(pairs.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 2s, 3s));
  const absl::Status status = h.RunBatches(9);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(overlapping.batches(), (Counts{{{0, 1}}, {{0, 6}}, {{0, 14}}, {{0, 22}}}));
  EXPECT_EQ(with_gaps.batches(), (Counts{{{0, 3}}, {{0, 9}}, {{0, 15}}}));
}

absl::StatusOr<int64_t> NotNegative(int64_t x) {
  if (x < 0) return absl::InvalidArgumentError("negative");
  return x;
}

// What failed to come in must not be taken out later.
TEST(WindowTest, InverseWindowIsRightAgainOnceAFailedBatchHasLeftIt) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto out = h.Output(h.Input<int64_t>({{1}, {2, -2}, {4}, {8}, {16}})
                          .Map(Fn<&NotNegative>)
                          .ReduceByWindow(std::plus<>(), std::minus<>(), 2s, 1s));
  EXPECT_THAT(std::string(h.RunBatches(5).message()), HasSubstr("negative"));
  EXPECT_EQ(out.batches(), (Numbers{{1}, {12}, {24}}));
  EXPECT_EQ(out.times(), (std::vector<Time>{Time(1000), Time(4000), Time(5000)}));
}

TEST(WindowTest, CountByValueAndWindowHasNoZeros) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto out = h.Output(h.Input<int64_t>({{7, 7, 8}, {7}}).CountByValueAndWindow(2s, 1s));
  ASSERT_TRUE(h.RunBatches(4).ok());
  EXPECT_EQ(Sorted(out.batches()), (Counts{{{7, 2}, {8, 1}}, {{7, 3}, {8, 1}}, {{7, 1}}, {}}));
}

TEST(WindowTest, GroupByKeyAndWindowListsAllValues) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<std::pair<int64_t, int64_t>>({{{1, 10}, {2, 20}}, {{1, 11}}}, 1)
                          .GroupByKeyAndWindow(2s, 1s));
  ASSERT_TRUE(h.RunBatches(3).ok());
  std::vector<std::vector<std::pair<int64_t, std::vector<int64_t>>>> expected{
      {{1, {10}}, {2, {20}}}, {{1, {10, 11}}, {2, {20}}}, {{1, {11}}}};
  EXPECT_EQ(Sorted(out.batches()), expected);
}

TEST(WindowTest, InverseWindowWithoutCheckpointDirectoryIsAnError) {
  StreamHarness h(1s);
  h.Output(h.Input<int64_t>({})
               .Map(Fn<&WithOne>)
               .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 2s, 1s));
  const absl::Status status = h.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("checkpoint directory"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("ReduceByKeyAndWindow at windowed_node_test.cc:"));
}

TEST(WindowTest, ViewsInAWindowStayValid) {
  StreamHarness h(1s);
  auto words = h.Input<std::string>({{"a b"}, {"b c"}}, 1).FlatMap([](const std::string& line) {
    std::vector<std::string> words;
    for (std::string_view word : Split(line, ' ')) words.emplace_back(word);
    return words;
  });
  auto out = h.Output(words.Window(2s));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(out.batches(),
            (std::vector<std::vector<std::string>>{{"a", "b"}, {"a", "b", "b", "c"}}));
}

}  // namespace
}  // namespace millrace
