#include "client/dstream/aggregate_window_node.h"

#include <millrace/testing.h>

#include <algorithm>
#include <map>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::StreamHarness;

using Pair = std::pair<int64_t, int64_t>;
using Records = std::vector<Pair>;

// Some batches are empty, some have no data set.
std::vector<testing::Batch<Pair>> RandomBatches(int count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<testing::Batch<Pair>> batches;
  for (int i = 0; i < count; ++i) {
    if (random() % 5 == 0) {
      batches.emplace_back(std::nullopt);
      continue;
    }
    Records records;
    for (uint32_t n = random() % 4; n > 0; --n) records.emplace_back(random() % 6, random() % 100);
    batches.emplace_back(std::move(records));
  }
  return batches;
}

Records SumsOf(const std::vector<testing::Batch<Pair>>& batches, int first, int end) {
  std::map<int64_t, int64_t> sums;
  for (int i = std::max(0, first); i < end; ++i) {
    if (!batches[i].records.has_value()) continue;
    for (const auto& [key, value] : *batches[i].records) sums[key] += value;
  }
  return {sums.begin(), sums.end()};
}

Records Sorted(Records records) {
  std::sort(records.begin(), records.end());
  return records;
}

// (length, slide), in batches.
class AggregateWindowShapeTest : public ::testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(AggregateWindowShapeTest, HoldsWhatTheModelHolds) {
  const auto [length, slide] = GetParam();
  const int count = 4 * length + 3;
  const auto batches = RandomBatches(count, static_cast<uint32_t>(31 * length + slide));
  StreamHarness h(1s);
  testing::Batches<Pair> input(std::vector<Records>{});
  input.list = batches;
  auto in = h.Input<Pair>(input);
  auto sums = h.Output(in.ReduceByKeyAndWindow(std::plus<>(), length * 1s, slide * 1s));
  auto total = h.Output(in.Map([](const Pair& pair) {
                            return pair.second;
                          }).ReduceByWindow(std::plus<>(), length * 1s, slide * 1s));
  const absl::Status run = h.RunBatches(count);
  ASSERT_TRUE(run.ok()) << run;
  ASSERT_EQ(sums.times().size(), static_cast<size_t>(count / slide));
  ASSERT_EQ(total.times().size(), static_cast<size_t>(count / slide));
  for (size_t i = 0; i < sums.times().size(); ++i) {
    const int end = static_cast<int>(sums.times()[i].ms() / 1000);
    const Records expected = SumsOf(batches, end - length, end);
    EXPECT_EQ(Sorted(sums.batches()[i]), expected) << "window that ends at batch " << end;
    std::vector<int64_t> sum_of_all;
    for (const auto& [key, value] : expected) {
      if (sum_of_all.empty()) sum_of_all.push_back(0);
      sum_of_all[0] += value;
    }
    EXPECT_EQ(total.batches()[i], sum_of_all) << "window that ends at batch " << end;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AggregateWindowShapeTest,
                         ::testing::Values(std::tuple(7, 1), std::tuple(8, 1), std::tuple(9, 1),
                                           std::tuple(13, 1), std::tuple(14, 2), std::tuple(15, 3),
                                           std::tuple(10, 3), std::tuple(9, 7), std::tuple(21, 2),
                                           std::tuple(20, 5), std::tuple(7, 7), std::tuple(7, 9),
                                           std::tuple(3, 1)));

TEST(AggregateWindowTest, MaximaForgetWhatHasLeft) {
  StreamHarness h(1s);
  std::vector<Records> batches(40);
  batches[2] = {{1, 100}};
  batches[9] = {{1, 7}, {2, 8}};
  auto out = h.Output(h.Input<Pair>(batches).ReduceByKeyAndWindow(
      [](int64_t a, int64_t b) { return std::max(a, b); }, 10s));
  ASSERT_TRUE(h.RunBatches(25).ok());
  EXPECT_EQ(Sorted(out.batches()[11]), (Records{{1, 100}, {2, 8}}));
  EXPECT_EQ(Sorted(out.batches()[12]), (Records{{1, 7}, {2, 8}}));
  EXPECT_EQ(Sorted(out.batches()[18]), (Records{{1, 7}, {2, 8}}));
  EXPECT_THAT(out.batches()[19], ::testing::IsEmpty());
}

TEST(AggregateWindowTest, EverySlideCombinesFewDataSets) {
  StreamHarness h(1s);
  constexpr int kLength = 100;
  std::vector<Records> batches(3 * kLength, Records{{1, 1}, {2, 1}});
  auto windows = h.Input<Pair>(batches, 1).ReduceByKeyAndWindow(std::plus<>(), kLength * 1s, 1s, 1);
  auto out = h.Output(windows);
  for (int i = 1; i <= 3 * kLength; ++i) {
    ASSERT_TRUE(h.RunBatches(1).ok());
    const int64_t in_window = std::min(i, kLength);
    EXPECT_EQ(Sorted(out.batches().back()), (Records{{1, in_window}, {2, in_window}}));
    const auto slice = windows.Slice(Time(i * 1000), Time(i * 1000));
    ASSERT_TRUE(slice.ok()) << slice.status();
    // The suffix, the whole epoch, the prefix, and the suffix that is prepared, before they are
    // combined.
    const internal::RddRef combined = slice->at(0).node();
    ASSERT_EQ(combined->dependencies.size(), 1u);
    EXPECT_LE(combined->dependencies[0].parent->dependencies.size(), 5u) << "batch " << i;
  }
}

TEST(AggregateWindowTest, AFailedBatchLeavesLaterWindowsRight) {
  StreamHarness h(1s);
  std::vector<Records> batches(40, Records{{1, 1}});
  auto fails = std::make_shared<bool>(false);
  auto windows = h.Input<Pair>(batches).ReduceByKeyAndWindow(std::plus<>(), 12s, 1s);
  auto out = h.Output(windows.Transform([fails](const RDD<Pair>& rdd) -> absl::StatusOr<RDD<Pair>> {
    if (*fails) return absl::UnavailableError("not this time");
    return rdd;
  }));
  ASSERT_TRUE(h.RunBatches(14).ok());
  *fails = true;
  EXPECT_FALSE(h.RunBatches(5).ok());
  *fails = false;
  ASSERT_TRUE(h.RunBatches(10).ok());
  for (size_t i = 14; i < out.batches().size(); ++i) {
    EXPECT_EQ(out.batches()[i], (Records{{1, 12}})) << i;
  }
}

TEST(AggregateWindowTest, WindowsOverWindowsAndTextStayRight) {
  StreamHarness h(1s);
  std::vector<std::vector<std::string>> batches(60, {"a b"});
  auto words = h.Input<std::string>(batches, 1).FlatMap([](const std::string& line) {
    std::vector<std::string> words;
    for (std::string_view word : Split(line, ' ')) words.emplace_back(word);
    return words;
  });
  auto counts = words.Map([](const std::string& word) { return std::pair(word, int64_t{1}); })
                    .ReduceByKeyAndWindow(std::plus<>(), 10s, 1s)
                    .ReduceByKeyAndWindow(std::plus<>(), 8s, 2s);
  auto out = h.Output(counts);
  auto longest = h.Output(words.ReduceByWindow(
      [](const std::string& a, const std::string& b) { return std::max(a, b); }, 9s, 1s));
  const absl::Status run = h.RunBatches(40);
  ASSERT_TRUE(run.ok()) << run;
  std::vector<std::pair<std::string, int64_t>> last = out.batches().back();
  std::sort(last.begin(), last.end());
  EXPECT_EQ(last, (std::vector<std::pair<std::string, int64_t>>{{"a", 80}, {"b", 80}}));
  EXPECT_EQ(longest.batches().back(), (std::vector<std::string>{"b"}));
}

}  // namespace
}  // namespace millrace
