#include "client/rdd/accumulator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <millrace/context.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {
namespace {

using std::string;
using ::testing::UnorderedElementsAre;

Context& TheContext() {
  static Context& context = *new Context(Conf().SetMaster("local[2]"));
  return context;
}

const auto add_each = [](const LongAccumulator& sum, int64_t x) { sum.Add(x); };

TEST(AccumulatorTest, SumsWhatTasksAdd) {
  const auto sum = TheContext().LongAccumulator("sum");
  EXPECT_TRUE(sum.IsZero());
  EXPECT_TRUE(std::isnan(sum.Avg()));
  ASSERT_TRUE(TheContext().Range(0, 101, 1, 7).Foreach(BindFront(add_each, sum)).ok());
  EXPECT_EQ(sum.Value(), 5050);
  EXPECT_EQ(sum.Count(), 101);
  EXPECT_EQ(sum.Avg(), 50);
  EXPECT_EQ(sum.name(), "sum");
}

TEST(AccumulatorTest, TheProgramMayAddAndReset) {
  const auto sum = TheContext().DoubleAccumulator("sum");
  sum.Add(0.5);
  const auto copy = sum;  // NOLINT(performance-unnecessary-copy-initialization)
  copy.Add(1);
  EXPECT_EQ(sum.Value(), 1.5);
  sum.Reset();
  EXPECT_TRUE(copy.IsZero());
}

TEST(AccumulatorTest, CollectsWhatTasksAdd) {
  const auto seen = TheContext().CollectionAccumulator<std::string_view>("seen");
  const auto rdd = TheContext().Parallelize(std::vector<string>{"a", "b", "c"}, 3);
  ASSERT_TRUE(rdd.Foreach(BindFront([](const CollectionAccumulator<std::string_view>& seen,
                                       const string& word) { seen.Add(word); },
                                    seen))
                  .ok());
  EXPECT_THAT(seen.Value(), UnorderedElementsAre("a", "b", "c"));
}

TEST(AccumulatorTest, MergesByTheUsersFunction) {
  const auto greatest =
      TheContext().Accumulator<int>("greatest", 0, [](int a, int b) { return std::max(a, b); });
  const auto rdd = TheContext().Parallelize({3, 9, 4, 1}, 3);
  ASSERT_TRUE(
      rdd.Foreach(
             BindFront([](const Accumulator<int>& greatest, int x) { greatest.Add(x); }, greatest))
          .ok());
  EXPECT_EQ(greatest.Value(), 9);
}

TEST(AccumulatorTest, SeveralInOneFunction) {
  const auto even = TheContext().LongAccumulator("even");
  const auto odd = TheContext().LongAccumulator("odd");
  ASSERT_TRUE(TheContext()
                  .Range(0, 10, 1, 3)
                  .Foreach(BindFront([](const LongAccumulator& even, const LongAccumulator& odd,
                                        int64_t x) { (x % 2 == 0 ? even : odd).Add(x); },
                                     even, odd))
                  .ok());
  EXPECT_EQ(even.Value(), 20);
  EXPECT_EQ(odd.Value(), 25);
}

std::atomic<int> attempts{0};

TEST(AccumulatorTest, ATaskThatIsRunAgainCountsOnce) {
  attempts = 0;
  const auto sum = TheContext().LongAccumulator("sum");
  const auto fails_at_first = [](const LongAccumulator& sum, int64_t x) -> absl::Status {
    sum.Add(1);
    if (x == 9 && ++attempts <= 2) return absl::UnavailableError("not yet");
    return absl::OkStatus();
  };
  ASSERT_TRUE(TheContext().Range(0, 10, 1, 1).Foreach(BindFront(fails_at_first, sum)).ok());
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(sum.Value(), 10);
}

TEST(AccumulatorTest, ATaskThatFailsForGoodDoesNotCount) {
  const auto sum = TheContext().LongAccumulator("sum");
  EXPECT_FALSE(TheContext()
                   .Range(0, 10, 1, 1)
                   .Foreach(BindFront(
                       [](const LongAccumulator& sum, int64_t) -> absl::Status {
                         sum.Add(1);
                         return absl::UnavailableError("never");
                       },
                       sum))
                   .ok());
  EXPECT_EQ(sum.Value(), 0);
}

TEST(AccumulatorTest, CountsBehindAShuffleToo) {
  const auto merged = TheContext().LongAccumulator("merged");
  const auto result = TheContext()
                          .Range(0, 100, 1, 4)
                          .Map([](int64_t x) { return std::pair(x % 10, x); })
                          .ReduceByKey([](int64_t a, int64_t b) { return a + b; })
                          .Map(BindFront(
                              [](const LongAccumulator& merged, std::pair<int64_t, int64_t> pair) {
                                merged.Add(pair.second);
                                return pair.first;
                              },
                              merged))
                          .Count();
  EXPECT_EQ(*result, 10);
  EXPECT_EQ(merged.Value(), 4950);
}

TEST(AccumulatorTest, IsNotReadByTasks) {
  const auto sum = TheContext().LongAccumulator("sum");
  EXPECT_FALSE(TheContext()
                   .Parallelize({1}, 1)
                   .Map(BindFront([](const LongAccumulator& sum, int) { return sum.Value(); }, sum))
                   .Count()
                   .ok());
}

TEST(AccumulatorTest, AMergeThatThrowsCostsNoMoreThanItsUpdate) {
  const auto poisoned = TheContext().Accumulator<int>("poisoned", 0, [](int a, int b) -> int {
    if (b == 13 && a == 0) throw std::runtime_error("unlucky");
    return a + b;
  });
  const auto rdd = TheContext().Parallelize({12, 1}, 1);
  // Each task's sum is 13, which the program refuses while its own is 0.
  ASSERT_TRUE(
      rdd.Foreach(BindFront([](const Accumulator<int>& acc, int x) { acc.Add(x); }, poisoned))
          .ok());
  EXPECT_EQ(poisoned.Value(), 0);
  EXPECT_EQ(*rdd.Count(), 2) << "the driver lives on";
}

TEST(AccumulatorTest, AnEmptyHandleIsZero) {
  const LongAccumulator empty;
  empty.Add(1);
  EXPECT_EQ(empty.Value(), 0);
  EXPECT_EQ(empty.name(), "");
}

TEST(AccumulatorTest, OutlivesItsContext) {
  LongAccumulator sum;
  {
    Context context(Conf().SetMaster("local[1]"));
    sum = context.LongAccumulator("sum");
    ASSERT_TRUE(context.Range(0, 5).Foreach(BindFront(add_each, sum)).ok());
  }
  EXPECT_EQ(sum.Value(), 10);
}

}  // namespace
}  // namespace millrace
