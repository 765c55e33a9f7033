#include "client/source/direct_input_node.h"

#include <millrace/offset_ranges.h>
#include <millrace/testing.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "client/dstream/stream_graph.h"
#include "client/local/streaming_core.h"
#include "client/rdd/values.h"
#include "executor/operator/records_source.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using namespace std::chrono_literals;
using millrace::testing::StreamHarness;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Numbers = std::vector<std::vector<int64_t>>;

// A topic "t" whose record at each offset is that offset, and more in thousands for partitions.
struct FakeTopic {
  std::map<int, int64_t> latest;
  std::map<int, int64_t> start;
  bool may_have_more = false;
  absl::Status start_status;
  absl::Status status;  // What Latest answers if not OK.
  std::function<void()> on_latest;
  int asked = 0;
  std::vector<OffsetRange> located;
};

class FakeOffsets : public OffsetSource {
 public:
  explicit FakeOffsets(FakeTopic* topic) : topic_(*topic) {}

  absl::Status Start(std::chrono::milliseconds timeout) override {
    EXPECT_GT(timeout, 0ms);
    return topic_.start_status;
  }
  absl::StatusOr<std::vector<PartitionOffsets>> Latest(std::chrono::milliseconds timeout) override {
    EXPECT_GE(timeout, 1s);
    ++topic_.asked;
    if (topic_.on_latest) topic_.on_latest();
    if (!topic_.status.ok()) return topic_.status;
    std::vector<PartitionOffsets> offsets;
    for (const auto& [partition, latest] : topic_.latest) {
      offsets.push_back({"t", partition, topic_.start[partition], latest, topic_.may_have_more});
    }
    return offsets;
  }
  SourcePartition Locate(const OffsetRange& range) override {
    topic_.located.push_back(range);
    Encoder encoder;
    for (int64_t offset = range.from_offset; offset < range.until_offset; ++offset) {
      Encode(encoder, int64_t{1000} * range.partition + offset);
    }
    SourcePartition partition;
    partition.split = encoder.ToString();
    return partition;
  }

 private:
  FakeTopic& topic_;
};

class BatchLog : public StreamingListener {
 public:
  void OnBatchCompleted(const BatchInfo& batch) override {
    const absl::MutexLock lock(&mutex);
    infos.push_back(batch);
  }

  absl::Mutex mutex;
  std::vector<BatchInfo> infos;
};

class DirectInputNodeTest : public ::testing::Test {
 protected:
  DStream<int64_t> Stream(OffsetLimits limits = {}, FakeTopic* topic = nullptr) {
    DirectSource source;
    source.kind = "Fake direct";
    source.offsets = std::make_unique<FakeOffsets>(topic == nullptr ? &topic_ : topic);
    source.read = MakeSpec<ValuesOperator<int64_t>>("", "Fake", BindingKind::kSplit);
    source.type = &RecordOperators<int64_t>();
    source.limits = limits;
    return DStream<int64_t>(
        AddDirect({"FakeStream", Location::Current()}, h_.context().graph(), std::move(source)));
  }
  void Run(int batches) {
    const absl::Status status = h_.RunBatches(batches);
    ASSERT_TRUE(status.ok()) << status;
  }

  FakeTopic topic_;
  StreamHarness h_{1s};
};

TEST_F(DirectInputNodeTest, EachBatchHasWhatCameSinceTheOneBefore) {
  auto out = h_.Output(Stream());
  topic_.latest = {{0, 2}, {1, 1}};
  Run(1);
  topic_.latest = {{0, 2}, {1, 3}};
  Run(2);
  EXPECT_EQ(out.batches(), (Numbers{{0, 1, 1000}, {1001, 1002}, {}}));
  EXPECT_THAT(out.partition_counts(), ElementsAre(2, 2, 2)) << "a partition for each range";
  EXPECT_EQ(topic_.located.back(), (OffsetRange{"t", 1, 3, 3}));
}

TEST_F(DirectInputNodeTest, NewPartitionsBeginWhereTheSourceSays) {
  auto out = h_.Output(Stream());
  topic_.latest = {{0, 5}};
  topic_.start = {{0, 3}};
  Run(1);
  topic_.latest = {{0, 5}, {1, 2}};
  Run(1);
  topic_.latest = {{0, 5}, {1, 3}};
  topic_.start = {{1, 3}};
  Run(1);
  EXPECT_EQ(out.batches(), (Numbers{{3, 4}, {1000, 1001}, {1002}}))
      << "only the first start counts";
}

TEST_F(DirectInputNodeTest, BatchInfoShowsRecordsAndOffsets) {
  auto log = std::make_shared<BatchLog>();
  h_.context().AddStreamingListener(log);
  h_.Output(Stream());
  topic_.latest = {{0, 2}, {1, 0}};
  Run(1);
  h_.context().Stop();
  const absl::MutexLock lock(&log->mutex);
  ASSERT_EQ(log->infos.size(), 1u);
  const StreamInputInfo info = log->infos[0].stream_id_to_input_info.at(0);
  EXPECT_EQ(info.num_records, 2);
  EXPECT_EQ(info.metadata.at("offsets"),
            "topic: t, partition: 0, offsets: 0 to 2\ntopic: t, partition: 1, offsets: 0 to 0");
  EXPECT_EQ(info.metadata.at("Description"), "topic: t, partition: 0, offsets: 0 to 2");
}

TEST_F(DirectInputNodeTest, TheDriverKeepsTheRangesWithTheBatch) {
  Stream().Print();
  topic_.latest = {{0, 2}};
  StreamGraph& graph = *h_.context().graph();
  ASSERT_TRUE(graph.Start().ok());
  graph.BeginAfter(Time(0));
  const auto batch = graph.GenerateJobs(Time(1000), {});
  ASSERT_TRUE(batch.ok());
  ASSERT_EQ(batch->offset_ranges.size(), 1u);
  const OffsetRangesRef& ranges = batch->offset_ranges.at(0);
  EXPECT_THAT(*ranges, ElementsAre(OffsetRange{"t", 0, 0, 2}));
  std::vector<OffsetRange> decoded;
  EXPECT_TRUE(DecodeFromBytes(EncodeToString(*ranges), decoded)) << "they can be logged";
  EXPECT_EQ(decoded, *ranges);
}

TEST_F(DirectInputNodeTest, TheLimitPerPartitionHoldsToTheRecord) {
  auto out = h_.Output(Stream({.max_rate_per_partition = 2}));
  topic_.latest = {{0, 5}, {1, 1}};
  Run(4);
  EXPECT_EQ(out.batches(), (Numbers{{0, 1, 1000}, {2, 3}, {4}, {}}));
}

TEST_F(DirectInputNodeTest, RangesAreFixedWhetherOrNotTheStreamIsAsked) {
  auto out = h_.Output(Stream().Window(1s, 2s));
  topic_.latest = {{0, 1}};
  Run(1);
  topic_.latest = {{0, 3}};
  Run(1);
  EXPECT_EQ(out.batches(), (Numbers{{1, 2}})) << "offset 0 was the first batch's";
}

TEST_F(DirectInputNodeTest, AStreamThatNobodyNeedsIsNotAsked) {
  FakeTopic other;
  other.start_status = absl::UnavailableError("no broker");
  Stream({}, &other);
  h_.Output(Stream());
  Run(1);
  EXPECT_EQ(other.asked, 0);
}

TEST_F(DirectInputNodeTest, AnErrorAtTheStartComesBackFromStart) {
  topic_.start_status = absl::NotFoundError("no such topic");
  h_.Output(Stream());
  const absl::Status status = h_.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("FakeStream at direct_input_node_test.cc:"));
  EXPECT_EQ(h_.context().State(), StreamingContextState::kStopped);
}

TEST_F(DirectInputNodeTest, ASourceThatCannotBeReachedCostsNoBatch) {
  auto out = h_.Output(Stream({.max_rate_per_partition = 2}));
  topic_.latest = {{0, 3}};
  Run(1);
  topic_.latest = {{0, 4}};
  for (const absl::Status& status :
       {absl::UnavailableError("no broker"), absl::DeadlineExceededError("too slow")}) {
    topic_.status = status;
    Run(1);
  }
  topic_.status = absl::OkStatus();
  Run(1);
  EXPECT_EQ(out.batches(), (Numbers{{0, 1}, {2}, {}, {3}})) << "what is known is read";
}

TEST_F(DirectInputNodeTest, AnErrorFailsItsBatchAndTheNextOneHasTheRecords) {
  FakeTopic other;
  auto out = h_.Output(Stream());
  auto sound = h_.Output(Stream({}, &other));
  topic_.latest = other.latest = {{0, 1}};
  Run(1);
  topic_.status = absl::PermissionDeniedError("not for you");
  topic_.latest = other.latest = {{0, 2}};
  const absl::Status status = h_.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("FakeStream at direct_input_node_test.cc:"));
  topic_.status = absl::OkStatus();
  topic_.latest = {{0, 3}};
  Run(1);
  EXPECT_EQ(out.batches(), (Numbers{{0}, {1, 2}}));
  EXPECT_EQ(sound.batches(), (Numbers{{0}, {1}, {}})) << "other streams do not suffer";
}

TEST_F(DirectInputNodeTest, AWindowOverAFailedBatchGoesOn) {
  auto out = h_.Output(Stream().Window(2s));
  topic_.latest = {{0, 1}};
  topic_.status = absl::PermissionDeniedError("not for you");
  EXPECT_FALSE(h_.RunBatches(1).ok());
  topic_.status = absl::OkStatus();
  Run(1);
  EXPECT_EQ(out.batches(), (Numbers{{0}}));
}

TEST_F(DirectInputNodeTest, PartitionsThatGoAwayOrShrinkAreErrors) {
  h_.Output(Stream());
  topic_.latest = {{0, 5}, {1, 1}};
  Run(1);
  topic_.latest = {{0, 5}};
  EXPECT_THAT(std::string(h_.RunBatches(1).message()),
              HasSubstr("partition 1 of 't' is gone, of which the stream is at offset 1"));
  topic_.latest = {{0, 4}, {1, 1}};
  EXPECT_THAT(std::string(h_.RunBatches(1).message()),
              HasSubstr("partition 0 of 't' ends at offset 4 and the stream is at offset 5"));
}

// As a log does whose records are counted again after a restart.
TEST_F(DirectInputNodeTest, WhatWasNotSeenAgainYetIsNoLoss) {
  auto out = h_.Output(Stream());
  topic_.latest = {{0, 3}};
  Run(1);
  topic_.latest = {{0, 1}};
  topic_.may_have_more = true;
  Run(1);
  topic_.latest = {{0, 4}};
  Run(1);
  EXPECT_EQ(out.batches(), (Numbers{{0, 1, 2}, {}, {3}}));
}

TEST_F(DirectInputNodeTest, AStartBeyondTheEndIsAnError) {
  h_.Output(Stream());
  topic_.latest = {{0, 5}};
  topic_.start = {{0, 7}};
  EXPECT_EQ(h_.RunBatches(1).code(), absl::StatusCode::kDataLoss);
}

TEST_F(DirectInputNodeTest, SliceHasNoRecordsOfBatchesToCome) {
  h_.context().Remember(10s);
  auto stream = Stream();
  auto out = h_.Output(stream);
  topic_.latest = {{0, 1}};
  Run(1);
  const auto slice = stream.Slice(Time(1000), Time(2000));
  ASSERT_TRUE(slice.ok()) << slice.status();
  ASSERT_EQ(slice->size(), 2u);
  EXPECT_THAT(*(*slice)[0].Collect(), ElementsAre(0));
  EXPECT_THAT(*(*slice)[1].Collect(), IsEmpty());
  topic_.latest = {{0, 2}};
  Run(1);
  EXPECT_EQ(out.batches(), (Numbers{{0}, {1}}));
  EXPECT_THAT(*stream.Slice(Time(2000), Time(2000))->front().Collect(), ElementsAre(1));
}

TEST_F(DirectInputNodeTest, ASlowSourceHoldsNoLockOfTheGraph) {
  auto stream = Stream();
  h_.Output(stream);
  Run(1);
  bool was_free = false;
  topic_.on_latest = [&] {
    // On another thread, for the lock is recursive.
    std::thread other([&] {
      std::unique_lock lock(h_.context().graph()->lock(), std::try_to_lock);
      was_free = lock.owns_lock();
    });
    other.join();
  };
  Run(1);
  EXPECT_TRUE(was_free);
}

TEST_F(DirectInputNodeTest, HasOffsetRangesIsForTheStreamsOwnDataSet) {
  std::vector<OffsetRange> in_transform;
  std::vector<OffsetRange> in_foreach;
  absl::Status of_other;
  absl::Status of_nothing;
  auto stream = Stream();
  h_.Output(stream.Transform([&](const RDD<int64_t>& rdd) {
    in_transform = *HasOffsetRanges(rdd);
    return rdd.Map([](int64_t x) { return x; });
  }));
  stream.ForeachRDD([&](const RDD<int64_t>& rdd) {
    in_foreach = *HasOffsetRanges(rdd);
    of_other = HasOffsetRanges(rdd.Map([](int64_t x) { return x; })).status();
    of_nothing = HasOffsetRanges(RDD<int64_t>()).status();
  });
  topic_.latest = {{0, 2}, {3, 0}};
  Run(1);
  EXPECT_THAT(in_transform, ElementsAre(OffsetRange{"t", 0, 0, 2}, OffsetRange{"t", 3, 0, 0}));
  EXPECT_EQ(in_foreach, in_transform);
  EXPECT_EQ(of_other.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(of_other.message()), HasSubstr("Map at direct_input_node_test.cc:"));
  EXPECT_EQ(of_nothing.code(), absl::StatusCode::kFailedPrecondition);
  auto batch = h_.context().context().Parallelize(std::vector<int64_t>{1, 2});
  EXPECT_EQ(HasOffsetRanges(batch).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DirectStreamBackpressureTest, TheInitialRateIsSharedOutByLag) {
  Conf conf;
  conf.Set("millrace.streaming.backpressure.enabled", true);
  conf.Set("millrace.streaming.backpressure.initialRate", 4);
  conf.Set("millrace.streaming.receiver.maxRate", 1);  // Not for streams without a receiver.
  StreamHarness h(1s, {.conf = conf});
  FakeTopic topic;
  topic.latest = {{0, 30}, {1, 10}};
  DirectSource source;
  source.kind = "Fake direct";
  source.offsets = std::make_unique<FakeOffsets>(&topic);
  source.read = MakeSpec<ValuesOperator<int64_t>>("", "Fake", BindingKind::kSplit);
  source.type = &RecordOperators<int64_t>();
  auto out = h.Output(DStream<int64_t>(
      AddDirect({"FakeStream", Location::Current()}, h.context().graph(), std::move(source))));
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (Numbers{{0, 1, 2, 1000}}));
}

}  // namespace
}  // namespace millrace::internal
