#include "client/source/inputs.h"

#include <millrace/testing.h>

#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::StreamHarness;

using Numbers = std::vector<std::vector<int64_t>>;

class QueueStreamTest : public ::testing::Test {
 protected:
  void Push(std::vector<int64_t> records) {
    const std::lock_guard lock(h_.context().QueueMutex());
    queue_.push_back(h_.context().context().Parallelize(records, 1));
  }

  StreamHarness h_{1s};
  std::deque<RDD<int64_t>> queue_;
};

TEST_F(QueueStreamTest, TakesOneDataSetABatch) {
  Push({1});
  Push({2, 3});
  auto out = h_.Output(h_.context().QueueStream(queue_));
  ASSERT_TRUE(h_.RunBatches(3).ok());
  Push({4});
  ASSERT_TRUE(h_.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (Numbers{{1}, {2, 3}, {}, {4}}));
}

TEST_F(QueueStreamTest, TakesAllThatIsThere) {
  Push({1});
  Push({2, 3});
  auto out = h_.Output(h_.context().QueueStream(queue_, /*one_at_a_time=*/false));
  ASSERT_TRUE(h_.RunBatches(2).ok());
  EXPECT_EQ(out.batches(), (Numbers{{1, 2, 3}, {}}));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(QueueStreamTest, GivesTheDefaultWhenEmpty) {
  Push({1});
  auto nothing_new =
      h_.context().context().Parallelize({7, 8}, 1).Map([](int x) -> int64_t { return x; });
  auto out = h_.Output(h_.context().QueueStream(queue_, true, nothing_new));
  ASSERT_TRUE(h_.RunBatches(2).ok());
  EXPECT_EQ(out.batches(), (Numbers{{1}, {7, 8}}));
}

// A batch that nobody asks for takes nothing: what it would have had comes later.
TEST_F(QueueStreamTest, BatchesInAGapTakeNothing) {
  for (int64_t i = 1; i <= 4; ++i) Push({i});
  auto out = h_.Output(h_.context().QueueStream(queue_).Window(1s, 2s));
  ASSERT_TRUE(h_.RunBatches(4).ok());
  EXPECT_EQ(out.batches(), (Numbers{{1}, {2}}));
}

TEST(ConstantStreamTest, IsTheSameInEveryBatch) {
  StreamHarness h(1s);
  auto rdd = h.context().context().Range(0, 3, 1, 1);
  auto out = h.Output(h.context().ConstantStream(rdd));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(out.batches(), (Numbers{{0, 1, 2}, {0, 1, 2}}));
}

TEST(InputTest, IdsAreGivenInTheOrderOfCreation) {
  StreamHarness h(1s);
  struct Records : StreamingListener {
    void OnBatchCompleted(const BatchInfo& batch) override {
      for (const auto& [id, info] : batch.stream_id_to_input_info) {
        if (batch.batch_time == Time(1000)) (*counts)[id] = info.num_records;
      }
      seen->fetch_add(1);
    }
    std::map<int, int64_t>* counts = nullptr;
    std::atomic<int>* seen = nullptr;
  };
  std::map<int, int64_t> counts;
  std::atomic<int> seen = 0;
  auto listener = std::make_shared<Records>();
  listener->counts = &counts;
  listener->seen = &seen;
  h.context().AddStreamingListener(listener);
  auto a = h.Input<int64_t>({{1, 2, 3}});
  auto b = h.Input<int64_t>({{4}});
  h.Output(a.Union(b));
  ASSERT_TRUE(h.RunBatches(1).ok());
  h.context().Stop();  // Its end is behind all events.
  EXPECT_EQ(counts, (std::map<int, int64_t>{{0, 3}, {1, 1}}));
  EXPECT_EQ(seen, 1);
}

// Stores what its constructor was given, in each of the ways.
class Script : public Receiver<std::string> {
 public:
  Script(std::string one, std::vector<std::string> many)
      : one_(std::move(one)), many_(std::move(many)) {}
  void OnStart() override {
    thread_ = std::thread([this] {
      EXPECT_TRUE(Store(one_));
      EXPECT_TRUE(Store(many_).ok());
      EXPECT_TRUE(StoreBytes(internal::EncodeToString(std::string("encoded"))).ok());
      stored().Notify();
    });
  }
  void OnStop() override { thread_.join(); }
  static absl::Notification& stored() {
    static absl::Notification& stored = *new absl::Notification;
    return stored;
  }

 private:
  const std::string one_;
  const std::vector<std::string> many_;
  std::thread thread_;
};

TEST(ReceiverStreamTest, TakesInWhatItsReceiverStores) {
  StreamHarness h(1s);
  auto in = h.context().ReceiverStream<Script>("one", std::vector<std::string>{"a", "b"});
  auto out = h.Output(in);
  ASSERT_TRUE(h.RunBatches(1).ok());
  ASSERT_TRUE(Script::stored().WaitForNotificationWithTimeout(absl::Seconds(30)));
  // A batch that does not wait longer for its receiver leaves the rest to the next.
  std::vector<std::string> all = out.batches().back();
  for (int batch = 0; batch < 100 && all.size() < 4; ++batch) {
    ASSERT_TRUE(h.RunBatches(1).ok());
    all.insert(all.end(), out.batches().back().begin(), out.batches().back().end());
  }
  EXPECT_THAT(all, ::testing::UnorderedElementsAre("one", "a", "b", "encoded"));
}

// More than is taken at first, as fast as it may.
class Flood : public Receiver<std::string> {
 public:
  static constexpr size_t kRecords = 48;
  static constexpr size_t kRecordBytes = size_t{64} << 10;

  void OnStart() override {
    thread_ = std::thread([this] {
      const std::vector<std::string> record{std::string(kRecordBytes, 'x')};
      for (size_t i = 0; i < kRecords; ++i) EXPECT_TRUE(Store(record).ok());
    });
  }
  void OnStop() override { thread_.join(); }

 private:
  std::thread thread_;
};

TEST(ReceiverStreamTest, BackpressureStartsSlowlyAndGoesOn) {
  Conf conf;
  conf.Set("millrace.streaming.backpressure.enabled", true);
  conf.Set("millrace.streaming.batchJitter",
           "2ms");  // Changes nothing here but when things happen.
  StreamHarness h(1s, {.conf = conf});
  auto out = h.Output(h.context().ReceiverStream<Flood>());
  std::vector<size_t> sizes;
  size_t received = 0;
  while (received < Flood::kRecords) {
    ASSERT_TRUE(h.RunBatches(1).ok());
    const size_t size = out.batches().back().size();
    if (size > 0) sizes.push_back(size);
    received += size;
  }
  EXPECT_LE(sizes.front() * Flood::kRecordBytes, (size_t{1} << 20) + Flood::kRecordBytes);
  EXPECT_EQ(received, Flood::kRecords);
}

}  // namespace
}  // namespace millrace
