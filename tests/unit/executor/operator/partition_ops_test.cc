#include "executor/operator/partition_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/fake_task.h"

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;

template <class T, class Out, class F>
std::vector<Owned<Out>> RunMapPartitions(FakeTask& task, Chunks<T> chunks, F /*f*/) {
  return task.Run<Out>(
      task.Node<MapPartitionsOperator<T, Out, F>>("", {&task.Feed<T>(std::move(chunks))}));
}

TEST(MapPartitionsTest, SeesThePartitionOnce) {
  FakeTask task;
  EXPECT_EQ((RunMapPartitions<int, int>(task, {{1, 2}, {3}},
                                        [](PartitionReader<int>& records, Emitter<int>& emit) {
                                          int sum = 0;
                                          for (const int& x : records) sum += x;
                                          emit(sum);
                                          emit(-sum);
                                        })),
            (std::vector<int>{6, -6}));
}

TEST(MapPartitionsTest, IsCalledForAnEmptyPartition) {
  FakeTask task;
  EXPECT_EQ(
      (RunMapPartitions<int, string>(task, {},
                                     [](PartitionReader<int>& records, Emitter<string>& emit) {
                                       if (records.begin() == records.end()) emit("empty");
                                     })),
      (std::vector<string>{"empty"}));
}

TEST(MapPartitionsTest, ViewsStayValidThroughoutThePartition) {
  FakeTask task;
  EXPECT_EQ((RunMapPartitions<string_view, string>(
                task, {{"b"}, {"a"}, {"c"}},
                [](PartitionReader<string_view>& records, Emitter<string>& emit) {
                  std::vector<string_view> sorted(records.begin(), records.end());
                  std::sort(sorted.begin(), sorted.end());
                  for (const string_view word : sorted) emit(string(word));
                  return absl::OkStatus();
                })),
            (std::vector<string>{"a", "b", "c"}));
}

TEST(MapPartitionsTest, AnErrorFailsTheTask) {
  FakeTask task;
  RunMapPartitions<int, int>(task, {{1}}, [](PartitionReader<int>&, Emitter<int>&) {
    return absl::AbortedError("no connection");
  });
  EXPECT_FALSE(task.succeeded);
  EXPECT_EQ(task.status().code(), absl::StatusCode::kAborted);
}

TEST(MapPartitionsTest, BoolsAreRecordsToo) {
  FakeTask task;
  EXPECT_EQ((RunMapPartitions<bool, int>(task, {{true, false, true}},
                                         [](PartitionReader<bool>& records, Emitter<int>& emit) {
                                           for (const bool flag : records) emit(flag ? 1 : 0);
                                         })),
            (std::vector<int>{1, 0, 1}));
}

TEST(GlomTest, OneVectorAPartition) {
  FakeTask task;
  const auto run = [&task](Chunks<string_view> chunks) {
    return task.Run<std::vector<string_view>>(
        task.Node<GlomOperator<string_view>>("", {&task.Feed<string_view>(chunks)}));
  };
  EXPECT_EQ(run({{"a"}, {"b", "c"}}), (std::vector<std::vector<string>>{{"a", "b", "c"}}));
  EXPECT_EQ(run({}), (std::vector<std::vector<string>>{{}}));
}

std::vector<int64_t> SumOfCounts(FakeTask& task, Chunks<HashedRecord<SingleKey, int64_t>> counts) {
  return task.Run<int64_t>(
      task.Node<SumCountsOperator>("", {&task.Feed<HashedRecord<SingleKey, int64_t>>(counts)}));
}

TEST(CountTest, OneCountAPartition) {
  FakeTask task;
  const auto run = [&task](Chunks<string_view> chunks) {
    return task.Run<std::pair<SingleKey, int64_t>>(
        task.Node<PartialCountOperator<string_view>>("", {&task.Feed<string_view>(chunks)}));
  };
  using Counts = std::vector<std::pair<SingleKey, int64_t>>;
  EXPECT_EQ(run({{"a", "b"}, {"c"}}), (Counts{{kSingleKey, 3}}));
  EXPECT_EQ(run({}), (Counts{{kSingleKey, 0}}));
}

TEST(CountTest, TheSumOfNoCountsIsZero) {
  FakeTask task;
  EXPECT_EQ(SumOfCounts(task, {}), (std::vector<int64_t>{0}));
  EXPECT_EQ(SumOfCounts(task, {{{0, 0, 2}, {0, 0, 3}}, {{0, 0, 5}}}), (std::vector<int64_t>{10}));
}

template <class T, class F>
auto PartialReduce(FakeTask& task, Chunks<T> chunks, F /*f*/, bool keeps_views = false) {
  using Op = PartialReduceOperator<T, F>;
  return task.Run<typename Op::Out>(task.Node<Op>("", {&task.Feed<T>(chunks)}), keeps_views);
}

TEST(PartialReduceTest, FoldsInOrder) {
  FakeTask task;
  EXPECT_EQ(PartialReduce<string>(task, {{"a", "b"}, {"c"}},
                                  [](const string& a, const string& b) { return a + b; }),
            (std::vector<std::pair<SingleKey, string>>{{kSingleKey, "abc"}}));
  EXPECT_EQ(PartialReduce<int>(task, {{5}}, std::plus<>()),
            (std::vector<std::pair<SingleKey, int>>{{kSingleKey, 5}}));
}

TEST(PartialReduceTest, AnEmptyPartitionGivesNothing) {
  FakeTask task;
  EXPECT_TRUE(PartialReduce<int>(task, {}, std::plus<>()).empty());
  EXPECT_TRUE(PartialReduce<int>(task, {{}}, std::plus<>()).empty());
  EXPECT_TRUE(task.succeeded);
}

TEST(PartialReduceTest, ViewsAreOwnedWhileTheyAreFolded) {
  const auto longer = [](string_view a, string_view b) { return a.size() >= b.size() ? a : b; };
  for (const bool keeps_views : {false, true}) {
    FakeTask task;
    EXPECT_EQ(
        PartialReduce<string_view>(task, {{"aa", "longest"}, {"bbb"}, {"c"}}, longer, keeps_views),
        (std::vector<std::pair<SingleKey, string>>{{kSingleKey, "longest"}}));
  }
}

TEST(RoundRobinTest, DealsRecordsOutEvenly) {
  for (const int partition : {0, 1, 5}) {
    FakeTask task(partition);
    FakeNode& write = task.Node<RoundRobinWriteOperator<string_view>>(
        "", {&task.Feed<string_view>({{"0", "1", "2"}, {"3", "4", "5", "6"}})});
    write.reduce_partitions = 3;
    ASSERT_TRUE(task.RunRoot(write));
    std::vector<string> all;
    for (const auto& [reduce_partition, bytes] : write.written_buckets) {
      FakeNode& read = task.Node<ShuffleRecordsOperator<string_view>>();
      read.read_buffers = {Buffer(bytes)};
      const std::vector<string> records = task.Run<string_view>(read);
      EXPECT_GE(records.size(), 2u);
      EXPECT_LE(records.size(), 3u);
      EXPECT_TRUE(std::is_sorted(records.begin(), records.end()));
      all.insert(all.end(), records.begin(), records.end());
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, (std::vector<string>{"0", "1", "2", "3", "4", "5", "6"}));
    // Map partitions begin with different reduce partitions.
    const string& first_bucket = write.written_buckets.at(partition % 3);
    EXPECT_EQ(first_bucket.substr(0, 2), string("\x01") + "0");
  }
}

TEST(AlignedUnionTest, PassesOnAllInputsInOrder) {
  FakeTask task;
  FakeNode& first = task.Feed<int>({{1, 2}});
  FakeNode& second = task.Feed<int>({});
  FakeNode& third = task.Feed<int>({{3}});
  FakeNode& node = task.Node<AlignedUnionOperator>("", {&first, &second, &third});
  EXPECT_EQ(task.Run<int>(node), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(task.Run<int>(node, false, /*stop_after=*/1), (std::vector<int>{1}));
  EXPECT_FALSE(task.failed());
}

TEST(ZipWithIndexTest, CountsOnFromThePartitionsFirstIndex) {
  FakeTask task(/*partition=*/1);
  FakeNode& node =
      task.Node<ZipWithIndexOperator<string_view>>(EncodeToString(std::vector<int64_t>{0, 10, 20}),
                                                   {&task.Feed<string_view>({{"a"}, {"b", "c"}})});
  EXPECT_EQ((task.Run<std::pair<string_view, int64_t>>(node)),
            (std::vector<std::pair<string, int64_t>>{{"a", 10}, {"b", 11}, {"c", 12}}));
}

TEST(ZipWithIndexTest, APartitionThatWasNotCountedIsRefused) {
  FakeTask task(/*partition=*/3);
  FakeNode& node = task.Node<ZipWithIndexOperator<int>>(
      EncodeToString(std::vector<int64_t>{0, 10, 20}), {&task.Feed<int>({{1}})});
  task.Run<std::pair<int, int64_t>>(node);
  EXPECT_EQ(task.status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace millrace::internal
