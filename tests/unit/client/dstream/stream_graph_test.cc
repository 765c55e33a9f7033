#include "client/dstream/stream_graph.h"

#include <millrace/testing.h>

#include <string>
#include <utility>
#include <vector>

#include "client/local/streaming_core.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::StreamHarness;

using Numbers = std::vector<std::vector<int64_t>>;

std::pair<int64_t, int64_t> WithOne(int64_t x) { return {x, 1}; }

std::chrono::milliseconds RememberOf(const auto& stream) { return stream.ref().node->remember(); }

TEST(StreamGraphTest, ReportsAllErrorsAtOnceWithOperatorAndPlace) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({});
  auto windowed = in.Window(2s, 2s);
  h.Output(in.Union(windowed));
  h.Output(in.Window(1500ms));
  in.Name("same");
  windowed.Name("same");
  const absl::Status status = h.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("3 errors"));
  EXPECT_THAT(message, HasSubstr("Union at stream_graph_test.cc:"));
  EXPECT_THAT(message, HasSubstr("different slides"));
  EXPECT_THAT(message, HasSubstr("Window at stream_graph_test.cc:"));
  EXPECT_THAT(message, HasSubstr("Name at stream_graph_test.cc:"));
}

TEST(StreamGraphTest, StreamsOfAnotherContextAreAnError) {
  StreamHarness a(1s);
  StreamHarness b(1s);
  a.Output(a.Input<int64_t>({}).Union(b.Input<int64_t>({})));
  EXPECT_THAT(std::string(a.RunBatches(1).message()), HasSubstr("another StreamingContext"));
}

TEST(StreamGraphTest, CheckpointIntervalNeedsADirectoryAndMustFitTheSlide) {
  StreamHarness h(1s);
  h.Output(h.Input<int64_t>({}).Map([](int64_t x) { return x; }).Checkpoint(2500ms));
  const std::string message(h.RunBatches(1).message());
  EXPECT_THAT(message, HasSubstr("checkpoint directory has not been set"));
  EXPECT_THAT(message, HasSubstr("2500 ms"));
}

TEST(StreamGraphTest, RepartitionNeedsAPositiveNumber) {
  StreamHarness h(1s);
  h.Output(h.Input<int64_t>({}).Repartition(0));
  const absl::Status status = h.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Repartition at stream_graph_test.cc:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("0 partitions"));
}

TEST(StreamGraphTest, StateWithoutOutputNeedsNoCheckpointDirectory) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({{1}});
  in.Map(Fn<&WithOne>).ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 2s, 1s);
  h.Output(in);
  EXPECT_TRUE(h.RunBatches(1).ok());
}

TEST(StreamGraphTest, RememberDurationsOfWindowsAddUp) {
  StreamHarness h(1s);
  h.context().Remember(3s);
  auto in = h.Input<int64_t>({});
  auto inner = in.Window(2s, 1s);
  auto outer = inner.Window(4s, 2s);
  h.Output(outer);
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(RememberOf(outer), 3s);
  EXPECT_EQ(RememberOf(inner), 7s);
  EXPECT_EQ(RememberOf(in), 9s);
}

TEST(StreamGraphTest, RemembersASlideUnlessMoreIsNeeded) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto in = h.Input<int64_t>({});
  auto slow = in.Window(2s, 2s);
  auto saved = in.Map([](int64_t x) { return x; }).Checkpoint(3s);
  auto unused = in.Filter([](int64_t) { return true; });
  h.Output(slow);
  h.Output(saved);
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(RememberOf(slow), 2s);
  EXPECT_EQ(RememberOf(saved), 6s);
  EXPECT_EQ(RememberOf(in), 6s);
  EXPECT_EQ(RememberOf(unused), 0s);
}

TEST(StreamGraphTest, RememberOnlyOnce) {
  StreamHarness h(1s);
  h.context().Remember(3s);
  h.context().Remember(4s);
  h.Output(h.Input<int64_t>({}));
  EXPECT_THAT(std::string(h.RunBatches(1).message()), HasSubstr("only once"));
}

TEST(StreamGraphTest, DeclaringAfterStartHasNoEffectAndIsReported) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({{1}, {2}});
  auto out = h.Output(in);
  ASSERT_TRUE(h.RunBatches(1).ok());
  auto late = h.Output(in.Map([](int64_t x) { return x; }));
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (Numbers{{1}, {2}}));
  EXPECT_TRUE(late.batches().empty());
  const absl::Status error = h.context().graph()->late_error();
  EXPECT_EQ(error.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(error.message()), HasSubstr("after starting a context"));
  EXPECT_THAT(std::string(error.message()), HasSubstr("Map at stream_graph_test.cc:"));
}

TEST(StreamGraphTest, OutputsShareTheDataSetOfABatch) {
  StreamHarness h(1s);
  int made = 0;
  auto shared = h.Input<int64_t>({{1}, {2}}).Transform([&made](const RDD<int64_t>& rdd) {
    ++made;
    return rdd;
  });
  auto a = h.Output(shared);
  auto b = h.Output(shared.Map([](int64_t x) { return -x; }));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(made, 2);
  EXPECT_EQ(a.batches(), (Numbers{{1}, {2}}));
  EXPECT_EQ(b.batches(), (Numbers{{-1}, {-2}}));
}

TEST(StreamGraphTest, AFailingStreamFailsItsOwnOutputsOnly) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({{1}, {2}});
  auto broken =
      h.Output(in.Transform([](const RDD<int64_t>& rdd, Time time) -> absl::StatusOr<RDD<int64_t>> {
        if (time == Time(1000)) return absl::UnavailableError("not today");
        return rdd;
      }));
  auto fine = h.Output(in);
  const absl::Status status = h.RunBatches(2);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Transform at stream_graph_test.cc:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("1000 ms"));
  EXPECT_EQ(fine.batches(), (Numbers{{1}, {2}}));
  EXPECT_EQ(broken.batches(), (Numbers{{2}}));
}

TEST(StreamGraphTest, OutputsRunInTheOrderOfTheirDeclaration) {
  StreamHarness h(1s);
  std::string order;
  auto in = h.Input<int64_t>({{1}});
  in.ForeachRDD([&order](const RDD<int64_t>&) { order += "a"; });
  in.ForeachRDD([&order](auto&) { order += "b"; });
  in.ForeachRDD([&order](RDD<int64_t>, Time time) { order += std::to_string(time.ms()); });
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(order, "ab1000");
}

TEST(StreamGraphTest, ExceptionOfForeachRDDFailsItsBatch) {
  StreamHarness h(1s);
  h.Input<int64_t>({{1}, {2}}).ForeachRDD([](const RDD<int64_t>&, Time time) {
    if (time == Time(1000)) throw std::runtime_error("out of paper");
  });
  const absl::Status status = h.RunBatches(1);
  EXPECT_THAT(std::string(status.message()), HasSubstr("out of paper"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("ForeachRDD at stream_graph_test.cc:"));
  EXPECT_TRUE(h.RunBatches(1).ok());
}

TEST(StreamGraphTest, FunctionsOfForeachRDDKeepTheirState) {
  StreamHarness h(1s);
  int64_t seen = 0;
  h.Input<int64_t>({{1}, {2}, {3}}).ForeachRDD([&seen, calls = int64_t{0}](auto&) mutable {
    seen = ++calls;
  });
  ASSERT_TRUE(h.RunBatches(3).ok());
  EXPECT_EQ(seen, 3);
}

TEST(SliceTest, NeedsAStartedContext) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({{1}});
  h.Output(in);
  const auto slice = in.Slice(Time(0), Time(1000));
  EXPECT_EQ(slice.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(slice.status().message()), HasSubstr("has not been initialized"));
}

std::vector<int64_t> CollectSlice(const DStream<int64_t>& stream, int64_t from, int64_t to) {
  std::vector<int64_t> records;
  const auto slice = stream.Slice(Time(from), Time(to));
  EXPECT_TRUE(slice.ok()) << slice.status();
  if (!slice.ok()) return records;
  for (const RDD<int64_t>& rdd : *slice) {
    const auto collected = rdd.Collect();
    EXPECT_TRUE(collected.ok()) << collected.status();
    if (collected.ok()) records.insert(records.end(), collected->begin(), collected->end());
  }
  return records;
}

TEST(SliceTest, GivesWhatWasMadeAndMakesTheRest) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({{1}, {2}, {3}, {4}});
  h.Output(in);
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(CollectSlice(in, 0, 1000), (std::vector<int64_t>{1}));
  EXPECT_EQ(CollectSlice(in, 0, 2000), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(CollectSlice(in, 1000, 2000), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(CollectSlice(in, 2000, 4000), (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(CollectSlice(in, 2001, 3999), (std::vector<int64_t>{2, 3}));
  // What was made ahead is what the batch has.
  EXPECT_TRUE(h.RunBatches(3).ok());
}

TEST(SliceTest, MayBeAskedForByAJob) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({{1}, {2}, {3}});
  h.context().Remember(10s);
  std::vector<int64_t> sums;
  in.ForeachRDD([in, &sums](const RDD<int64_t>&, Time time) -> absl::Status {
    int64_t sum = 0;
    for (const int64_t x : CollectSlice(in, 0, time.ms())) sum += x;
    sums.push_back(sum);
    return absl::OkStatus();
  });
  ASSERT_TRUE(h.RunBatches(3).ok());
  EXPECT_EQ(sums, (std::vector<int64_t>{1, 3, 6}));
}

}  // namespace
}  // namespace millrace
