#include "executor/operator/records_source.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/fake_task.h"

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;

template <class T>
string EncodeAll(const std::vector<T>& records) {
  Encoder encoder;
  for (const T& record : records) Encode(encoder, record);
  return encoder.ToString();
}

TEST(BlockRecordsTest, ReadsAllBlocksInOrder) {
  FakeTask task;
  FakeNode& node = task.Node<BlockRecordsOperator<string_view>>();
  node.read_buffers = {Buffer(EncodeAll<string>({"a", "bb"})), Buffer(),
                       Buffer(EncodeAll<string>({"", "c"}))};
  EXPECT_EQ(task.Run<string_view>(node), (std::vector<string>{"a", "bb", "", "c"}));
  EXPECT_TRUE(task.succeeded);
}

TEST(BlockRecordsTest, MoreRecordsThanAChunkHolds) {
  std::vector<int64_t> records;
  for (int64_t i = 0; i < 5000; ++i) records.push_back(i * i);
  FakeTask task;
  FakeNode& node = task.Node<BlockRecordsOperator<int64_t>>();
  node.read_buffers = {Buffer(EncodeAll(records))};
  EXPECT_EQ(task.Run<int64_t>(node), records);
}

TEST(BlockRecordsTest, DamagedBytesFailTheTaskAndNothingElse) {
  const string bytes = EncodeAll<string>({"first", "second"});
  for (size_t size = 1; size < bytes.size(); ++size) {
    if (size == 6) continue;  // The first record as a whole.
    FakeTask task;
    FakeNode& node = task.Node<BlockRecordsOperator<string>>();
    node.read_buffers = {Buffer(bytes.substr(0, size))};
    task.Run<string>(node);
    EXPECT_FALSE(task.succeeded);
    EXPECT_EQ(task.status().code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST(BlockRecordsTest, RecordsWithoutContentAreCounted) {
  FakeTask task;
  FakeNode& node = task.Node<BlockRecordsOperator<std::tuple<>>>();
  node.read_buffers = {Buffer(EncodeAll(std::vector<std::tuple<>>(3)))};
  EXPECT_EQ(task.Run<std::tuple<>>(node).size(), 3u);
}

TEST(BlockRecordsTest, ALostBlockIsTheTasksError) {
  FakeTask task;
  FakeNode& node = task.Node<BlockRecordsOperator<int>>();
  node.service_status = absl::NotFoundError("block 7");
  task.Run<int>(node);
  EXPECT_EQ(task.status().code(), absl::StatusCode::kNotFound);
}

TEST(ValuesTest, ReadsTheSplit) {
  FakeTask task;
  FakeNode& node = task.Node<ValuesOperator<string_view>>();
  node.split = EncodeAll<string>({"x", "y"});
  EXPECT_EQ(task.Run<string_view>(node, /*keeps_views=*/true), (std::vector<string>{"x", "y"}));
}

TEST(ValuesTest, ACancelledTaskStops) {
  FakeTask task;
  task.is_cancelled = true;
  FakeNode& node = task.Node<ValuesOperator<int>>();
  node.split = EncodeAll<int>(std::vector<int>(10'000, 1));
  EXPECT_LT(task.Run<int>(node).size(), 10'000u);
  EXPECT_FALSE(task.succeeded);
}

class CachedWriteTest : public ::testing::Test {
 protected:
  FakeNode& Tee(Chunks<string_view> chunks) {
    return task_.Node<CachedWriteOperator<string_view>>("", {&task_.Feed<string_view>(chunks)});
  }
  std::vector<string> Cached(const FakeNode& tee) {
    FakeNode& read = task_.Node<CachedReadOperator<string_view>>();
    read.read_buffers = {Buffer(tee.cached)};
    return task_.Run<string_view>(read);
  }
  FakeTask task_;
};

TEST_F(CachedWriteTest, PassesRecordsOnAndKeepsThem) {
  FakeNode& tee = Tee({{"a", "b"}, {"c"}});
  EXPECT_EQ(task_.Run<string_view>(tee), (std::vector<string>{"a", "b", "c"}));
  EXPECT_TRUE(task_.succeeded);
  EXPECT_EQ(tee.cached_records, 3);
  EXPECT_EQ(Cached(tee), (std::vector<string>{"a", "b", "c"}));
}

TEST_F(CachedWriteTest, KeepsTheWholePartitionWhenTheConsumerStopsEarly) {
  FakeNode& tee = Tee({{"a", "b"}, {"c"}, {"d"}});
  EXPECT_EQ(task_.Run<string_view>(tee, false, /*stop_after=*/1), (std::vector<string>{"a"}));
  EXPECT_FALSE(task_.failed());
  EXPECT_EQ(tee.cached_records, 4);
  EXPECT_EQ(Cached(tee), (std::vector<string>{"a", "b", "c", "d"}));
}

TEST_F(CachedWriteTest, AnEmptyPartitionIsKeptToo) {
  FakeNode& tee = Tee({});
  EXPECT_EQ(task_.Run<string_view>(tee), std::vector<string>{});
  EXPECT_EQ(tee.cached_records, 0);
}

TEST_F(CachedWriteTest, NothingIsKeptOfAFailedTask) {
  FakeNode& feed = task_.Node<ValuesOperator<string_view>>();
  feed.split = "\x05garb";
  FakeNode& tee = task_.Node<CachedWriteOperator<string_view>>("", {&feed});
  task_.Run<string_view>(tee);
  EXPECT_TRUE(task_.failed());
  EXPECT_EQ(tee.cached_records, -1);
}

TEST_F(CachedWriteTest, AFullStoreFailsTheTask) {
  FakeNode& tee = Tee({{"a"}});
  tee.service_status = absl::ResourceExhaustedError("no room");
  task_.Run<string_view>(tee);
  EXPECT_EQ(task_.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace millrace::internal
