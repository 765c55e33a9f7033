#include "client/dstream/transformed_node.h"

#include <millrace/testing.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::StreamHarness;

using Numbers = std::vector<std::vector<int64_t>>;
using Pair = std::pair<std::string, int64_t>;
using Pairs = std::vector<std::vector<Pair>>;

template <class T>
std::vector<std::vector<T>> Sorted(std::vector<std::vector<T>> batches) {
  for (std::vector<T>& batch : batches) std::sort(batch.begin(), batch.end());
  return batches;
}

TEST(TransformTest, RunsOnTheDriverEachBatch) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>({{1, 2}, {3}}).Transform([](RDD<int64_t> rdd, Time time) {
    return time == Time(1000) ? rdd.Map([](int64_t x) { return x * 10; }) : rdd;
  }));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(out.batches(), (Numbers{{10, 20}, {3}}));
}

TEST(TransformTest, MayTakeItsDataSetInAnyWay) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({{1}});
  auto a = h.Output(in.Transform([](const RDD<int64_t>& rdd) { return rdd; }));
  auto b = h.Output(in.Transform([](RDD<int64_t>& rdd) { return rdd; }));
  auto c = h.Output(in.Transform([](auto rdd) { return rdd; }));
  auto d = h.Output(in.Transform([](auto&& rdd, Time) { return rdd; }));
  ASSERT_TRUE(h.RunBatches(1).ok());
  for (const auto& out : {a, b, c, d}) EXPECT_EQ(out.batches(), (Numbers{{1}}));
}

TEST(TransformTest, ReturningNoDataSetFailsTheBatch) {
  StreamHarness h(1s);
  h.Output(h.Input<int64_t>({{1}}).Transform([](const RDD<int64_t>&) { return RDD<int64_t>(); }));
  const absl::Status status = h.RunBatches(1);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Transform at transformed_node_test.cc:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("no data set"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("1000 ms"));
}

TEST(TransformTest, ExceptionFailsTheBatch) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>({{1}, {2}}).Transform([](RDD<int64_t> rdd, Time time) {
    if (time == Time(1000)) throw std::runtime_error("no such table");
    return rdd;
  }));
  EXPECT_THAT(std::string(h.RunBatches(2).message()), HasSubstr("no such table"));
  EXPECT_EQ(out.batches(), (Numbers{{2}}));
}

TEST(TransformTest, OfSeveralStreams) {
  StreamHarness h(1s);
  auto a = h.Input<int64_t>({{1}});
  auto b = h.Input<std::string>({{"x"}});
  auto c = h.Input<int64_t>({{3}});
  auto with = h.Output(a.TransformWith(b, [](const RDD<int64_t>& left, RDD<std::string> right) {
    return left.Map([](int64_t x) { return std::to_string(x); }).Union(right);
  }));
  auto three = h.Output(
      h.context().Transform([](auto& x, auto&, auto& z, Time) { return x.Union(z); }, a, b, c));
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(with.batches(), (std::vector<std::vector<std::string>>{{"1", "x"}}));
  EXPECT_EQ(three.batches(), (Numbers{{1, 3}}));
}

TEST(UnionTest, PutsPartitionsOneAfterTheOther) {
  StreamHarness h(1s);
  auto a = h.Input<int64_t>({{1, 2}, {}}, 2);
  auto b = h.Input<int64_t>({{3}, {4}}, 1);
  auto two = h.Output(a.Union(b));
  auto many = h.Output(h.context().Union(std::vector{a, b, a}));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(two.batches(), (Numbers{{1, 2, 3}, {4}}));
  EXPECT_EQ(two.partition_counts(), (std::vector<int>{3, 3}));
  EXPECT_EQ(many.batches(), (Numbers{{1, 2, 3, 1, 2}, {4}}));
}

TEST(UnionTest, OfAStreamWithoutDataSetFailsTheBatch) {
  StreamHarness h(1s);
  auto a = h.Input<int64_t>({{1}, {2}});
  auto b = h.Input<int64_t>({{3}, std::nullopt}).Name("right");
  auto out = h.Output(a.Union(b));
  const absl::Status status = h.RunBatches(3);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Union at transformed_node_test.cc:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("right"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("2000 ms"));
  EXPECT_EQ(out.batches(), (Numbers{{1, 3}, {}}));
}

TEST(StreamOperationsTest, OneRecordAtATime) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({{1, 2, 3, 4}, {}});
  auto odd = h.Output(in.Filter([](int64_t x) { return x % 2 == 1; }));
  auto twice = h.Output(in.FlatMap([](int64_t x) { return std::vector<int64_t>{x, x}; }));
  auto emitted = h.Output(in.FlatMap<int64_t>([](int64_t x, Emitter<int64_t>& emit) {
    if (x > 2) emit(x * 10);
  }));
  auto sums = h.Output(
      in.MapPartitions<int64_t>([](PartitionReader<int64_t>& records, Emitter<int64_t>& emit) {
        int64_t sum = 0;
        for (const int64_t& x : records) sum += x;
        emit(sum);
      }));
  auto bound = h.Output(in.Map(BindFront([](int64_t n, int64_t x) { return n + x; }, int64_t{5})));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(odd.batches(), (Numbers{{1, 3}, {}}));
  EXPECT_EQ(twice.batches(), (Numbers{{1, 1, 2, 2, 3, 3, 4, 4}, {}}));
  EXPECT_EQ(emitted.batches(), (Numbers{{30, 40}, {}}));
  EXPECT_EQ(sums.batches(), (Numbers{{3, 7}, {0, 0}}));
  EXPECT_EQ(bound.batches(), (Numbers{{6, 7, 8, 9}, {}}));
}

TEST(StreamOperationsTest, WholeBatches) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({{3, 1, 3}, {}});
  auto count = h.Output(in.Count());
  auto sum = h.Output(in.Reduce(std::plus<>()));
  auto values = h.Output(in.CountByValue());
  auto spread = h.Output(in.Repartition(5));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(count.batches(), (Numbers{{3}, {0}}));
  EXPECT_EQ(sum.batches(), (Numbers{{7}, {}}));
  using Counted = std::vector<std::vector<std::pair<int64_t, int64_t>>>;
  EXPECT_EQ(Sorted(values.batches()), (Counted{{{1, 1}, {3, 2}}, {}}));
  EXPECT_EQ(Sorted(spread.batches()), (Numbers{{1, 3, 3}, {}}));
  EXPECT_EQ(spread.partition_counts(), (std::vector<int>{5, 5}));
}

TEST(StreamOperationsTest, ByKey) {
  StreamHarness h(1s);
  auto in = h.Input<Pair>({{{"a", 1}, {"b", 2}, {"a", 3}}});
  auto sums = h.Output(in.ReduceByKey(std::plus<>()));
  auto lists = h.Output(in.GroupByKey(1));
  auto counts = h.Output(in.CombineByKey([](int64_t) { return int64_t{1}; },
                                         [](int64_t n, int64_t) { return n + 1; }, std::plus<>()));
  auto values = h.Output(in.MapValues([](int64_t x) { return -x; }));
  auto flat = h.Output(
      in.FlatMapValues([](int64_t x) { return std::vector<int64_t>(static_cast<size_t>(x), x); }));
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(Sorted(sums.batches()), (Pairs{{{"a", 4}, {"b", 2}}}));
  EXPECT_EQ(sums.partition_counts(), (std::vector<int>{2}));
  using Lists = std::vector<std::vector<std::pair<std::string, std::vector<int64_t>>>>;
  EXPECT_EQ(Sorted(lists.batches()), (Lists{{{"a", {1, 3}}, {"b", {2}}}}));
  EXPECT_EQ(lists.partition_counts(), (std::vector<int>{1}));
  EXPECT_EQ(Sorted(counts.batches()), (Pairs{{{"a", 2}, {"b", 1}}}));
  EXPECT_EQ(values.batches(), (Pairs{{{"a", -1}, {"b", -2}, {"a", -3}}}));
  EXPECT_EQ(flat.batches(), (Pairs{{{"a", 1}, {"b", 2}, {"b", 2}, {"a", 3}, {"a", 3}, {"a", 3}}}));
}

TEST(StreamOperationsTest, Joins) {
  StreamHarness h(1s);
  auto a = h.Input<Pair>({{{"x", 1}, {"y", 2}}});
  auto b = h.Input<Pair>({{{"y", 20}, {"z", 30}}});
  auto inner = h.Output(a.Join(b));
  auto left = h.Output(a.LeftOuterJoin(b, 3));
  auto groups = h.Output(a.CoGroup(b, a));
  ASSERT_TRUE(h.RunBatches(1).ok());
  using Inner = std::vector<std::vector<std::pair<std::string, std::pair<int64_t, int64_t>>>>;
  EXPECT_EQ(inner.batches(), (Inner{{{"y", {2, 20}}}}));
  using Left =
      std::vector<std::vector<std::pair<std::string, std::pair<int64_t, std::optional<int64_t>>>>>;
  EXPECT_EQ(Sorted(left.batches()), (Left{{{"x", {1, std::nullopt}}, {"y", {2, 20}}}}));
  EXPECT_EQ(left.partition_counts(), (std::vector<int>{3}));
  using List = std::vector<int64_t>;
  using Groups = std::vector<std::vector<std::pair<std::string, std::tuple<List, List, List>>>>;
  EXPECT_EQ(Sorted(groups.batches()),
            (Groups{{{"x", {{1}, {}, {1}}}, {"y", {{2}, {20}, {2}}}, {"z", {{}, {30}, {}}}}}));
}

TEST(StreamOperationsTest, PersistedDataSetsAreComputedOnce) {
  StreamHarness h(1s);
  auto numbers = h.Input<int64_t>({{1, 2, 3}}).Map([](int64_t x) { return x; }).Cache();
  auto a = h.Output(numbers);
  auto b = h.Output(numbers.Count());
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(a.batches(), (Numbers{{1, 2, 3}}));
  EXPECT_EQ(b.batches(), (Numbers{{3}}));
}

}  // namespace
}  // namespace millrace
