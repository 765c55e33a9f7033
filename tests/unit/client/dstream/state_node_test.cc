#include "client/dstream/state_node.h"

#include <millrace/testing.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

using Pair = std::pair<std::string, int64_t>;
using Pairs = std::vector<std::vector<Pair>>;
using Updated = std::optional<int64_t>;

template <class T>
std::vector<std::vector<T>> Sorted(std::vector<std::vector<T>> batches) {
  for (std::vector<T>& batch : batches) std::sort(batch.begin(), batch.end());
  return batches;
}

Updated Sum(const std::string& /*key*/, std::span<const int64_t> values, Updated sum) {
  for (const int64_t value : values) sum = sum.value_or(0) + value;
  return sum;
}

class StateTest : public ::testing::Test {
 protected:
  const TempDir dir_;
  testing::StreamHarness h_{1s, {.checkpoint_dir = dir_.path()}};
};

TEST_F(StateTest, UpdateStateByKeyPutsOutAllKeysEachBatch) {
  auto out = h_.Output(h_.Input<Pair>({{{"a", 1}, {"b", 1}}, {{"a", 2}}, {}, {{"c", 5}}})
                           .UpdateStateByKey<int64_t>(Fn<&Sum>));
  const absl::Status status = h_.RunBatches(4);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Sorted(out.batches()), (Pairs{{{"a", 1}, {"b", 1}},
                                          {{"a", 3}, {"b", 1}},
                                          {{"a", 3}, {"b", 1}},
                                          {{"a", 3}, {"b", 1}, {"c", 5}}}));
}

TEST_F(StateTest, UpdateStateByKeyDropsKeysWithoutState) {
  auto out = h_.Output(
      h_.Input<Pair>({{{"a", 1}, {"b", 1}}, {{"a", 2}}, {{"b", 7}}})
          .UpdateStateByKey<int64_t>([](Time time, const std::string&,
                                        std::span<const int64_t> values, Updated) -> Updated {
            if (values.empty()) return std::nullopt;
            return time.ms() + values[0];
          }));
  const absl::Status status = h_.RunBatches(3);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Sorted(out.batches()),
            (Pairs{{{"a", 1001}, {"b", 1001}}, {{"a", 2002}}, {{"b", 3007}}}));
}

TEST_F(StateTest, InitialStateStandsBeforeTheFirstBatch) {
  const std::vector<Pair> known{{"a", 10}, {"z", 1}};
  auto initial = h_.context().context().Parallelize(known);
  auto in = h_.Input<Pair>({{}, {{"a", 1}}});
  auto all = h_.Output(in.UpdateStateByKey<int64_t>(Fn<&Sum>, initial));
  auto spread = h_.Output(in.UpdateStateByKey<int64_t>(Fn<&Sum>, 3, initial));
  const absl::Status status = h_.RunBatches(2);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Sorted(all.batches()), (Pairs{{{"a", 10}, {"z", 1}}, {{"a", 11}, {"z", 1}}}));
  EXPECT_EQ(Sorted(spread.batches()), Sorted(all.batches()));
  EXPECT_EQ(spread.partition_counts(), (std::vector<int>{3, 3}));
}

TEST_F(StateTest, WithoutDataSetKnownKeysAreUpdated) {
  auto out = h_.Output(
      h_.Input<Pair>({std::nullopt, {{"a", 1}}, std::nullopt}).UpdateStateByKey<int64_t>(Fn<&Sum>));
  const absl::Status status = h_.RunBatches(3);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(), (Pairs{{{"a", 1}}, {{"a", 1}}}));
  EXPECT_EQ(out.times(), (std::vector<Time>{Time(2000), Time(3000)}));
}

Pair Count(const std::string& key, std::optional<int64_t> value, State<int64_t>& state) {
  state.Update(state.GetOption().value_or(0) + value.value_or(0));
  return {key, state.Get()};
}

TEST_F(StateTest, MapWithStateCallsOnceARecord) {
  auto counts = h_.Input<Pair>({{{"a", 1}, {"a", 2}, {"b", 5}}, {}, {{"a", 3}}}, 1)
                    .MapWithState(StateSpec(Fn<&Count>));
  auto out = h_.Output(counts);
  auto all = h_.Output(counts.StateSnapshots());
  const absl::Status status = h_.RunBatches(3);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Sorted(out.batches()), (Pairs{{{"a", 1}, {"a", 3}, {"b", 5}}, {}, {{"a", 6}}}));
  EXPECT_EQ(Sorted(all.batches()),
            (Pairs{{{"a", 3}, {"b", 5}}, {{"a", 3}, {"b", 5}}, {{"a", 6}, {"b", 5}}}));
}

TEST_F(StateTest, MapWithStateTakesABatchWithoutDataSetAsEmpty) {
  const std::vector<Pair> known{{"z", 1}};
  auto counts =
      h_.Input<Pair>({std::nullopt, {{"a", 1}}, std::nullopt})
          .MapWithState(
              StateSpec(Fn<&Count>).InitialState(h_.context().context().Parallelize(known)));
  auto out = h_.Output(counts);
  auto all = h_.Output(counts.StateSnapshots());
  const absl::Status status = h_.RunBatches(3);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(), (Pairs{{}, {{"a", 1}}, {}}));
  EXPECT_EQ(Sorted(all.batches()), (Pairs{{{"z", 1}}, {{"a", 1}, {"z", 1}}, {{"a", 1}, {"z", 1}}}));
}

TEST_F(StateTest, MapWithStateTakesInitialStateAndPartitions) {
  const std::vector<Pair> known{{"a", 10}};
  auto out =
      h_.Output(h_.Input<Pair>({{{"a", 1}}})
                    .MapWithState(StateSpec(Fn<&Count>)
                                      .InitialState(h_.context().context().Parallelize(known))
                                      .NumPartitions(4)));
  const absl::Status status = h_.RunBatches(1);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(), (Pairs{{{"a", 11}}}));
  EXPECT_EQ(out.partition_counts(), (std::vector<int>{4}));
}

TEST_F(StateTest, KeysTimeOutInTheFirstBatchAfterTheTimeout) {
  auto out = h_.Output(
      h_.Input<Pair>({{{"a", 1}}, {{"b", 1}}, {{"b", 1}}})
          .MapWithState(StateSpec([](const std::string& key, std::optional<int64_t> value,
                                     State<int64_t>& state) -> std::optional<std::string> {
                          if (state.IsTimingOut()) return key + " is gone";
                          state.Update(*value);
                          return std::nullopt;
                        }).Timeout(2s)));
  const absl::Status status = h_.RunBatches(6);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(),
            (std::vector<std::vector<std::string>>{{}, {}, {}, {"a is gone"}, {}, {"b is gone"}}));
}

TEST_F(StateTest, GenericFunctionsSayTheirState) {
  auto stream = h_.Input<Pair>({{{"a", 1}}, {{"a", 1}}})
                    .MapWithState<int64_t>([](const auto&, auto value, auto& state) {
                      state.Update(state.GetOption().value_or(0) + *value);
                    });
  auto out = h_.Output(stream.StateSnapshots());
  const absl::Status status = h_.RunBatches(2);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(), (Pairs{{{"a", 1}}, {{"a", 2}}}));
}

TEST_F(StateTest, NoBatchIsLeftOutWhereWindowsHaveGaps) {
  auto sums =
      h_.Input<Pair>({{{"a", 1}}, {{"a", 1}}, {{"a", 1}}, {{"a", 1}}, {{"a", 1}}, {{"a", 1}}})
          .UpdateStateByKey<int64_t>(Fn<&Sum>);
  auto with_gaps = h_.Output(sums.Window(1s, 3s));
  const absl::Status status = h_.RunBatches(6);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(with_gaps.batches(), (Pairs{{{"a", 3}}, {{"a", 6}}}));
}

TEST_F(StateTest, TumblingWindowOfStates) {
  auto sums = h_.Input<Pair>({{{"a", 1}}, {{"a", 1}}, {{"a", 1}}, {{"a", 1}}})
                  .UpdateStateByKey<int64_t>(Fn<&Sum>);
  auto window = h_.Output(sums.Window(2s, 2s));
  const absl::Status status = h_.RunBatches(4);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Sorted(window.batches()), (Pairs{{{"a", 1}, {"a", 2}}, {{"a", 3}, {"a", 4}}}));
}

TEST_F(StateTest, StateGoesOnAfterABatchThatFailed) {
  auto in = h_.Input<Pair>({{{"a", 1}}, {{"a", -1}}, {{"a", 3}}});
  auto checked = in.Map([](const Pair& pair) -> absl::StatusOr<Pair> {
    if (pair.second < 0) return absl::InvalidArgumentError("negative");
    return pair;
  });
  auto out = h_.Output(checked.UpdateStateByKey<int64_t>(Fn<&Sum>));
  EXPECT_THAT(std::string(h_.RunBatches(3).message()), HasSubstr("negative"));
  EXPECT_EQ(out.batches(), (Pairs{{{"a", 1}}, {{"a", 4}}}));
}

TEST_F(StateTest, InitialStateOutlivesAFirstBatchThatFailed) {
  const std::vector<Pair> known{{"a", 10}};
  auto initial = h_.context().context().Parallelize(known);
  auto in = h_.Input<Pair>({{{"a", -1}}, {{"a", 1}}, {{"a", 1}}})
                .Map([](const Pair& pair) -> absl::StatusOr<Pair> {
                  if (pair.second < 0) return absl::InvalidArgumentError("negative");
                  return pair;
                });
  auto updated = h_.Output(in.UpdateStateByKey<int64_t>(Fn<&Sum>, initial));
  auto mapped = h_.Output(in.MapWithState(StateSpec(Fn<&Count>).InitialState(initial)));
  EXPECT_THAT(std::string(h_.RunBatches(3).message()), HasSubstr("negative"));
  EXPECT_EQ(updated.batches(), (Pairs{{{"a", 11}}, {{"a", 12}}}));
  EXPECT_EQ(mapped.batches(), updated.batches());
}

// Fails whatever is asked for while it is told to.
class WindowBehindFailuresTest : public StateTest {
 protected:
  template <class K, class V>
  DStream<std::pair<K, V>> Failing(const DStream<std::pair<K, V>>& stream) {
    return stream.Transform(
        [this](const RDD<std::pair<K, V>>& rdd) -> absl::StatusOr<RDD<std::pair<K, V>>> {
          if (does_fail_) return absl::UnavailableError("not now");
          return rdd;
        });
  }
  // Of the last three batches.
  testing::StreamOutput<Pair> WindowOf(const DStream<Pair>& stream) {
    return h_.Output(stream.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 3s, 1s, 1,
                                                 [](const Pair& sum) { return sum.second != 0; }));
  }
  void RunFailing(int batches) {
    does_fail_ = true;
    for (int i = 0; i < batches; ++i) {
      EXPECT_THAT(std::string(h_.RunBatches(1).message()), HasSubstr("not now"));
    }
    does_fail_ = false;
  }

 private:
  bool does_fail_ = false;
};

TEST_F(WindowBehindFailuresTest, WhatCameLateLeavesInItsTurn) {
  auto out = WindowOf(Failing(h_.Input<Pair>(
      {{{"a", 1}}, {{"a", 10}}, {{"a", 100}}, {{"a", 1000}}, {{"a", 10000}}, {}, {}, {}})));
  ASSERT_TRUE(h_.RunBatches(1).ok());
  RunFailing(2);
  const absl::Status status = h_.RunBatches(5);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(),
            (Pairs{{{"a", 1}}, {{"a", 1110}}, {{"a", 11100}}, {{"a", 11000}}, {{"a", 10000}}, {}}));
}

TEST_F(WindowBehindFailuresTest, WindowsOfStateThatLackedMoreThanIsRememberedGoOn) {
  std::vector<std::vector<Pair>> in(12);
  in[0] = in[9] = {{"a", 1}};
  auto out = WindowOf(Failing(h_.Input<Pair>(in).MapWithState(StateSpec(Fn<&Count>))));
  ASSERT_TRUE(h_.RunBatches(1).ok());
  RunFailing(8);
  const absl::Status status = h_.RunBatches(3);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.batches(), (Pairs{{{"a", 1}}, {{"a", 2}}, {{"a", 2}}, {{"a", 2}}}));
}

TEST_F(WindowBehindFailuresTest, AWindowIsCombinedAnewIfWhatLeavesItIsNotRememberedAnyMore) {
  const std::vector<std::vector<Pair>> in(17, {{"a", 1}});
  auto counts = Failing(h_.Input<Pair>(in).MapWithState(StateSpec(Fn<&Count>)));
  auto out = h_.Output(counts.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 9s, 1s, 1));
  ASSERT_TRUE(h_.RunBatches(10).ok());
  RunFailing(4);
  const absl::Status status = h_.RunBatches(3);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(out.batches().size(), 13u);
  EXPECT_EQ((Pairs{out.batches().end() - 4, out.batches().end()}),
            (Pairs{{{"a", 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10}},
                   {{"a", 7 + 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15}},
                   {{"a", 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15 + 16}},
                   {{"a", 9 + 10 + 11 + 12 + 13 + 14 + 15 + 16 + 17}}}));
}

TEST(StateWithoutDirectoryTest, IsAnError) {
  testing::StreamHarness h(1s);
  h.Output(h.Input<Pair>({}).UpdateStateByKey<int64_t>(Fn<&Sum>));
  h.Output(h.Input<Pair>({}).MapWithState(StateSpec(Fn<&Count>)));
  const absl::Status status = h.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("UpdateStateByKey at state_node_test.cc:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("MapWithState at state_node_test.cc:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("Checkpoint(directory)"));
}

}  // namespace
}  // namespace millrace
