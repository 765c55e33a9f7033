#include "executor/task/task_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/env/peer_transport.h"
#include "common/log/block_log.h"
#include "common/log/segment_writer.h"
#include "common/time/system_clock.h"
#include "executor/service/peer_service.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/number_operators.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Asks for a state of its own type.
struct OtherState : Operator {
  struct Nothing : StatePartition {
    void Commit() override {}
    void Abort() override {}
    size_t memory_bytes() const override { return 0; }
  };
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    const auto state = node.State([] { return std::make_unique<Nothing>(); });
    return state.ok() || node.task().Fail(state.status());
  }
};

class TaskRunnerTest : public ::testing::Test {
 protected:
  TaskRunnerTest()
      : disk_(fs_, "/spill"),
        blocks_(budget_, disk_),
        shuffles_(budget_, blocks_, disk_),
        services_{blocks_, shuffles_, router_, states_, fs_, &MonotonicNanos} {}

  ~TaskRunnerTest() override { TestHook::on_number = nullptr; }

  proto::TaskStatus Run(PlanBuilder& plan, std::vector<proto::Binding> bindings,
                        bool cancelled = false) {
    LaunchedTask task;
    task.request.set_task_id(++last_task_id_);
    task.request.set_partition(partition_);
    for (proto::Binding& binding : bindings) *task.request.add_bindings() = std::move(binding);
    auto parsed = ParsedPlan::Parse(plan.Serialize());
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    task.plan = *parsed;
    task.cancelled = cancelled;
    TaskRunner(services_).Run(task);
    EXPECT_EQ(task.status.task_id(), last_task_id_);
    EXPECT_EQ(TaskContext::Current(), nullptr);
    return task.status;
  }
  // Split -> times 10 -> collect.
  PlanBuilder TimesTen() {
    PlanBuilder plan;
    plan.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
    plan.Add<TimesNumber>({0}, EncodeToString(int64_t{10}));
    plan.Add<CollectNumbers>({1});
    return plan;
  }

  MemoryFileSystem fs_;
  MemoryBudget budget_{1000};
  SpillDir disk_;
  BlockStore blocks_;
  ShuffleStore shuffles_;
  ShuffleRouter router_{shuffles_};
  StateStore states_;
  TaskServices services_;
  int64_t last_task_id_ = 0;
  uint32_t partition_ = 0;  // Of the tasks that run.
};

TEST_F(TaskRunnerTest, RunsTheTreeAndReturnsTheRootsResult) {
  PlanBuilder plan = TimesTen();
  const proto::TaskStatus status = Run(plan, {SplitBinding({1, 2, 3})});
  EXPECT_EQ(status.outcome(), proto::TaskStatus::SUCCEEDED) << status.error_message();
  EXPECT_THAT(NumbersOf(status), ElementsAre(10, 20, 30));
}

TEST_F(TaskRunnerTest, CountsRecordsAndTimeOfEachOperator) {
  PlanBuilder plan = TimesTen();
  const proto::TaskStatus status = Run(plan, {SplitBinding({1, 2, 3})});
  ASSERT_EQ(status.operators_size(), 3);
  int64_t nanos = 0;
  for (const proto::OperatorMetrics& metrics : status.operators()) {
    EXPECT_EQ(metrics.records(), 3) << metrics.node();
    EXPECT_GT(metrics.nanos(), 0) << metrics.node();
    nanos += metrics.nanos();
  }
  EXPECT_LE(nanos, (status.run_micros() + 1) * 1000);
}

TEST_F(TaskRunnerTest, SelectRunsTheChosenInputOnly) {
  PlanBuilder plan;
  plan.Add<ParamNumbers>({}, EncodeToString(Numbers{1}));
  plan.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  plan.AddNamed("millrace.Select", {0, 1}, "", proto::BINDING_SELECT);
  plan.Add<CollectNumbers>({2});
  proto::Binding first;
  first.set_select(0);
  proto::Binding second;
  second.set_select(1);
  proto::Binding third;
  third.set_select(2);
  EXPECT_THAT(NumbersOf(Run(plan, {first})), ElementsAre(1));
  EXPECT_THAT(NumbersOf(Run(plan, {second, SplitBinding({7, 8})})), ElementsAre(7, 8));
  EXPECT_THAT(Run(plan, {third}).error_message(),
              HasSubstr("plan node 2 (Node2 at test.cc:1) has no input 2 of 2"));
}

TEST_F(TaskRunnerTest, ConcatRunsEachPartWithItsOwnBindings) {
  PlanBuilder plan;
  plan.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  plan.AddNamed("millrace.Concat", {0}, "", proto::BINDING_CONCAT);
  plan.Add<CollectNumbers>({1});
  proto::Binding three;
  three.set_concat(3);
  EXPECT_THAT(
      NumbersOf(Run(plan, {three, SplitBinding({1}), SplitBinding({}), SplitBinding({2, 3})})),
      ElementsAre(1, 2, 3));
  proto::Binding none;
  none.set_concat(0);
  EXPECT_THAT(NumbersOf(Run(plan, {none})), ElementsAre());
}

TEST_F(TaskRunnerTest, AConcatThatNeverEndsIsRefused) {
  PlanBuilder plan;
  plan.Add<ParamNumbers>({}, EncodeToString(Numbers{1}));
  plan.AddNamed("millrace.Concat", {0}, "", proto::BINDING_CONCAT);
  plan.Add<CollectNumbers>({1});
  proto::Binding endless;
  endless.set_concat(4'000'000'000);
  EXPECT_THAT(Run(plan, {endless}).error_message(), HasSubstr("more than 262144 nodes"));
}

// To an operator another one's state would be bytes that mean something else.
TEST_F(TaskRunnerTest, AStateOfAnotherOperatorIsNoStateForThisOne) {
  PlanBuilder sums;
  sums.Add<ParamNumbers>({}, EncodeToString(Numbers{1}));
  sums.Add<SumState>({0}, "", proto::BINDING_STATE);
  const proto::TaskStatus first = Run(sums, {StateUpdateOf(5, 0, 1000, -1, 9)});
  ASSERT_EQ(first.outcome(), proto::TaskStatus::SUCCEEDED) << first.error_message();
  states_.Commit(first.task_id());
  PlanBuilder others;
  others.Add<ParamNumbers>({}, EncodeToString(Numbers{1}));
  others.Add<OtherState>({0}, "", proto::BINDING_STATE);
  const proto::TaskStatus status = Run(others, {StateUpdateOf(5, 0, 2000, 1000, 9)});
  EXPECT_EQ(status.outcome(), proto::TaskStatus::FAILED);
  EXPECT_THAT(status.error_message(), HasSubstr("state 5 is of another operator"));
  // The next update finds it as it was.
  EXPECT_EQ(Run(sums, {StateUpdateOf(5, 0, 2000, 1000, 9)}).outcome(),
            proto::TaskStatus::SUCCEEDED);
}

// Numbers of partitions come from a message, and tables are made for them.
TEST_F(TaskRunnerTest, PartitionsThatNobodyCanHaveAreRefused) {
  PlanBuilder plan;
  plan.Add<ParamNumbers>({}, EncodeToString(Numbers{1}));
  plan.Add<ShuffleWriteNumbers>({0}, "", proto::BINDING_OUTPUT);
  EXPECT_THAT(Run(plan, {ShuffleOutput(1, 0, 4'000'000'000)}).error_message(),
              HasSubstr("plan node 1 (Node1 at test.cc:1) writes 4000000000 reduce partitions"));
  partition_ = 3'000'000'000;
  EXPECT_THAT(Run(plan, {ShuffleOutput(1, 0, 1)}).error_message(),
              HasSubstr("the task computes partition 3000000000"));
}

TEST_F(TaskRunnerTest, BindingsThatDoNotFitThePlanAreErrors) {
  PlanBuilder plan = TimesTen();
  EXPECT_THAT(
      Run(plan, {}).error_message(),
      HasSubstr("plan node 0 (Node0 at test.cc:1) needs a binding, but the task has only 0"));
  EXPECT_THAT(Run(plan, {ShuffleInput(1, 0, 1)}).error_message(), HasSubstr("needs BINDING_SPLIT"));
  EXPECT_THAT(Run(plan, {proto::Binding()}).error_message(), HasSubstr("is of kind 0"));
  EXPECT_THAT(Run(plan, {SplitBinding({}), SplitBinding({})}).error_message(),
              HasSubstr("has 2 bindings, but its plan takes 1"));
}

TEST_F(TaskRunnerTest, AnOperatorThatAsksForWhatItHasNotFails) {
  PlanBuilder plan;
  plan.Add<SplitNumbers>();
  plan.Add<CollectNumbers>({0});
  EXPECT_THAT(Run(plan, {}).error_message(),
              StartsWith("Node0 at test.cc:1: the plan gives this operator no split to read"));
  PlanBuilder root_without_input;
  root_without_input.Add<CollectNumbers>();
  EXPECT_THAT(Run(root_without_input, {}).error_message(),
              HasSubstr("reads its input 0, but the plan gives it 0"));
  PlanBuilder union_as_root;
  union_as_root.Add<ParamNumbers>({}, EncodeToString(Numbers{}));
  union_as_root.AddNamed("millrace.Select", {0}, "", proto::BINDING_SELECT);
  proto::Binding first;
  first.set_select(0);
  EXPECT_THAT(Run(union_as_root, {first}).error_message(), HasSubstr("cannot be the root"));
}

TEST_F(TaskRunnerTest, ExceptionsAreBlamedOnTheOperatorThatThrew) {
  PlanBuilder plan;
  plan.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  plan.Add<HookedNumbers>({0});
  plan.Add<TimesNumber>({1}, EncodeToString(int64_t{10}));
  plan.Add<CollectNumbers>({2});
  TestHook::on_number = [](int64_t) { throw std::runtime_error("cannot parse that"); };
  proto::TaskStatus status = Run(plan, {SplitBinding({1})});
  EXPECT_EQ(status.outcome(), proto::TaskStatus::FAILED);
  EXPECT_EQ(status.error_code(), static_cast<int>(absl::StatusCode::kUnknown));
  EXPECT_EQ(status.error_message(), "Node1 at test.cc:1: cannot parse that");
  TestHook::on_number = [](int64_t) { throw 5; };
  status = Run(plan, {SplitBinding({1})});
  EXPECT_EQ(status.error_message(),
            "Node1 at test.cc:1: threw something that is not a std::exception");
}

TEST_F(TaskRunnerTest, TheFirstErrorCounts) {
  PlanBuilder plan;
  plan.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  plan.Add<HookedNumbers>({0});
  plan.Add<CollectNumbers>({1});
  TestHook::on_number = [](int64_t number) {
    TaskContext::Current()->Fail(absl::NotFoundError("number " + std::to_string(number)));
  };
  const proto::TaskStatus status = Run(plan, {SplitBinding({1, 2})});
  EXPECT_EQ(status.error_code(), static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_EQ(status.error_message(), "Node1 at test.cc:1: number 1");
}

TEST_F(TaskRunnerTest, ACancelledTaskHandsNothingIn) {
  PlanBuilder plan;
  plan.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  plan.Add<ShuffleWriteNumbers>({0}, "", proto::BINDING_OUTPUT);
  const proto::TaskStatus status =
      Run(plan, {ShuffleOutput(1, 0, 2), SplitBinding({1, 2})}, /*cancelled=*/true);
  EXPECT_EQ(status.outcome(), proto::TaskStatus::CANCELLED);
  EXPECT_EQ(shuffles_.shuffle_count(), 0u);
}

TEST_F(TaskRunnerTest, ShuffleOutputsOfMapsAreTheInputsOfReduces) {
  PlanBuilder map;
  map.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  map.Add<ShuffleWriteNumbers>({0}, "", proto::BINDING_OUTPUT);
  const proto::TaskStatus status = Run(map, {ShuffleOutput(1, 0, 3), SplitBinding({3, 4, 6})});
  EXPECT_EQ(status.outcome(), proto::TaskStatus::SUCCEEDED) << status.error_message();
  EXPECT_GT(status.shuffle_bytes_written(), 0);
  EXPECT_EQ(Run(map, {ShuffleOutput(1, 1, 3), SplitBinding({9})}).outcome(),
            proto::TaskStatus::SUCCEEDED);
  PlanBuilder reduce;
  reduce.Add<ShuffleReadNumbers>({}, "", proto::BINDING_SHUFFLE);
  reduce.Add<CollectNumbers>({0});
  EXPECT_THAT(NumbersOf(Run(reduce, {ShuffleInput(1, 0, 2)})), ElementsAre(3, 6, 9));
  EXPECT_THAT(NumbersOf(Run(reduce, {ShuffleInput(1, 1, 2)})), ElementsAre(4));
  EXPECT_THAT(NumbersOf(Run(reduce, {ShuffleInput(1, 2, 2)})), ElementsAre());
  EXPECT_THAT(Run(reduce, {ShuffleInput(2, 0, 2)}).error_message(),
              HasSubstr("0 of 2 map outputs"));
}

TEST_F(TaskRunnerTest, AFailedMapHandsNothingIn) {
  PlanBuilder map;
  map.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  map.Add<HookedNumbers>({0});
  map.Add<ShuffleWriteNumbers>({1}, "", proto::BINDING_OUTPUT);
  TestHook::on_number = [](int64_t) { throw std::runtime_error("no"); };
  EXPECT_EQ(Run(map, {ShuffleOutput(1, 0, 1), SplitBinding({1})}).outcome(),
            proto::TaskStatus::FAILED);
  EXPECT_EQ(shuffles_.shuffle_count(), 0u);
}

TEST_F(TaskRunnerTest, BlocksAreReadInOrderAndAllLostOnesAreNamed) {
  for (int i = 0; i < 2; ++i) {
    StoreData data{.buffers = {Buffer(EncodeToString(Numbers{i, i}))}};
    ASSERT_TRUE(blocks_.Put(StoreKey::Block(4, i), data).ok());
  }
  PlanBuilder plan;
  plan.Add<BlockNumbers>({}, "", proto::BINDING_BLOCKS);
  plan.Add<CollectNumbers>({0});
  proto::Binding binding;
  for (const int64_t sequence : {1, 0}) {
    proto::BlockId& id = *binding.mutable_blocks()->add_blocks();
    id.set_stream_id(4);
    id.set_sequence(sequence);
  }
  EXPECT_THAT(NumbersOf(Run(plan, {binding})), ElementsAre(1, 1, 0, 0));
  blocks_.Drop(StoreKey::Block(4, 0));
  blocks_.Drop(StoreKey::Block(4, 1));
  const proto::TaskStatus status = Run(plan, {binding});
  EXPECT_EQ(status.outcome(), proto::TaskStatus::BLOCK_MISS);
  EXPECT_EQ(status.lost_blocks_size(), 2);
}

TEST_F(TaskRunnerTest, ABlockThatIsGoneIsReadFromItsLog) {
  ASSERT_TRUE(fs_.CreateDirs("/log").ok());
  auto segment = SegmentWriter::Create(fs_, "/log", 1);
  ASSERT_TRUE(segment.ok()) << segment.status();
  proto::StoredBlock stored;
  stored.mutable_id()->set_sequence(5);
  const auto place = segment->Append(EncodeLoggedBlock(
      stored, {Buffer(EncodeToString(Numbers{1, 2})), Buffer(EncodeToString(Numbers{3}))}));
  ASSERT_TRUE(place.ok() && segment->Finish().ok());
  PlanBuilder plan;
  plan.Add<BlockNumbers>({}, "", proto::BINDING_BLOCKS);
  plan.Add<CollectNumbers>({0});
  proto::Binding binding;
  proto::BlockId& id = *binding.mutable_blocks()->add_blocks();
  id.set_stream_id(4);
  id.set_sequence(5);
  id.mutable_place()->set_directory("/log");
  id.mutable_place()->set_segment(place->segment);
  id.mutable_place()->set_offset(place->offset);
  id.mutable_place()->set_size_bytes(place->size_bytes);
  EXPECT_THAT(NumbersOf(Run(plan, {binding})), ElementsAre(1, 2, 3));
  // What the store has goes before.
  StoreData data{.buffers = {Buffer(EncodeToString(Numbers{9}))}};
  ASSERT_TRUE(blocks_.Put(StoreKey::Block(4, 5), data).ok());
  EXPECT_THAT(NumbersOf(Run(plan, {binding})), ElementsAre(9));
  blocks_.Drop(StoreKey::Block(4, 5));
  // Nobody else can have it.
  ASSERT_TRUE(fs_.Delete("/log/log-00000001").ok());
  const proto::TaskStatus status = Run(plan, {binding});
  EXPECT_EQ(status.outcome(), proto::TaskStatus::FAILED);
  EXPECT_THAT(status.error_message(), HasSubstr("/log/log-00000001"));
}

TEST_F(TaskRunnerTest, PersistedPartitionsAreKeptAndMissedOnesNamed) {
  PlanBuilder write;
  write.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  write.Add<CacheNumbers>({0}, "", proto::BINDING_CACHED);
  write.Add<CollectNumbers>({1});
  const proto::TaskStatus written = Run(write, {CachedPartition(8, 3, 1), SplitBinding({5, 6})});
  EXPECT_THAT(NumbersOf(written), ElementsAre(5, 6));
  ASSERT_EQ(written.cached_size(), 1);
  EXPECT_EQ(written.cached(0).rdd_id(), 8);
  EXPECT_EQ(written.cached(0).partition(), 3u);

  PlanBuilder read;
  read.Add<CachedNumbers>({}, "", proto::BINDING_CACHED);
  read.Add<CollectNumbers>({0});
  EXPECT_THAT(NumbersOf(Run(read, {CachedPartition(8, 3)})), ElementsAre(5, 6));
  const proto::TaskStatus missed = Run(read, {CachedPartition(8, 4)});
  EXPECT_EQ(missed.outcome(), proto::TaskStatus::CACHE_MISS);
  ASSERT_EQ(missed.lost_cached_size(), 1);
  EXPECT_EQ(missed.lost_cached(0).partition(), 4u);
}

TEST_F(TaskRunnerTest, APartitionThatFindsNoRoomIsNotCachedButComputed) {
  StoreData filler{.buffers = {Buffer(std::string(1000, 'f'))}};
  ASSERT_TRUE(blocks_.Put(StoreKey::Block(1, 1), filler).ok());
  PlanBuilder write;
  write.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  write.Add<CacheNumbers>({0}, "", proto::BINDING_CACHED);
  write.Add<CollectNumbers>({1});
  const proto::TaskStatus status = Run(write, {CachedPartition(8, 3, 1), SplitBinding({5, 6})});
  EXPECT_THAT(NumbersOf(status), ElementsAre(5, 6));
  EXPECT_EQ(status.cached_size(), 0);
  EXPECT_THAT(Run(write, {CachedPartition(8, 3, 99), SplitBinding({})}).error_message(),
              HasSubstr("storage level 99"));
}

TEST_F(TaskRunnerTest, WhatAStateUpdatePutsOutStaysWhateverTheMemory) {
  StoreData filler{.buffers = {Buffer(std::string(1000, 'f'))}};
  ASSERT_TRUE(blocks_.Put(StoreKey::Block(1, 1), filler).ok());
  PlanBuilder plan;
  plan.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  plan.Add<SumState>({0}, "", proto::BINDING_STATE);
  const proto::TaskStatus status =
      Run(plan, {StateUpdateOf(1, 0, 1000, -1, 30), SplitBinding({4})});
  EXPECT_EQ(status.outcome(), proto::TaskStatus::SUCCEEDED) << status.error_message();
  ASSERT_EQ(status.cached_size(), 1);
  EXPECT_TRUE(blocks_.Contains(StoreKey::Cached(30, 0)));
}

TEST_F(TaskRunnerTest, StateIsHeldBySuccessAndUndoneByFailure) {
  PlanBuilder plan;
  plan.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  plan.Add<HookedNumbers>({0});
  plan.Add<SumState>({1}, "", proto::BINDING_STATE);
  TestHook::on_number = [](int64_t) {};
  ASSERT_EQ(Run(plan, {StateUpdateOf(1, 0, 1000, -1, 30), SplitBinding({4})}).outcome(),
            proto::TaskStatus::SUCCEEDED);
  EXPECT_TRUE(states_.Holds(last_task_id_));
  states_.Commit(last_task_id_);
  TestHook::on_number = [](int64_t) { throw std::runtime_error("no"); };
  EXPECT_EQ(Run(plan, {StateUpdateOf(1, 0, 2000, 1000, 31), SplitBinding({5})}).outcome(),
            proto::TaskStatus::FAILED);
  EXPECT_FALSE(states_.Holds(last_task_id_));
  TestHook::on_number = [](int64_t) {};
  EXPECT_THAT(NumbersOf(Run(plan, {StateUpdateOf(1, 0, 2000, 1000, 31), SplitBinding({5})})),
              ElementsAre(9));
}

TEST_F(TaskRunnerTest, AccumulatorsComeBackWithSuccessOnly) {
  PlanBuilder plan;
  plan.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  plan.Add<CountNumbersWithAccumulator>({0});
  proto::TaskStatus status = Run(plan, {SplitBinding({4, 5})});
  ASSERT_EQ(status.accumulators_size(), 1);
  EXPECT_EQ(status.accumulators(0).accumulator_id(), 9);
  EXPECT_EQ(status.accumulators(0).value(), EncodeToString(int64_t{2}));
  status = Run(plan, {SplitBinding({4, 5})}, /*cancelled=*/true);
  EXPECT_EQ(status.accumulators_size(), 0);
}

// Another worker: what it has is read as if it were here.
class OtherWorker : public PeerTransport {
 public:
  OtherWorker(BlockStore& blocks, ShuffleStore& shuffles) : service_(blocks, replicas_, shuffles) {}

  void Call(int64_t worker_id, proto::PeerRequest request, Done done) override {
    if (worker_id != 7) return done(absl::UnavailableError("there is no such worker"));
    done(service_.Handle(std::move(request)));
  }

 private:
  ReplicaBook replicas_;
  PeerService service_;
};

class RemoteReadsTest : public TaskRunnerTest {
 protected:
  template <class Leaf>
  proto::TaskStatus ReadBy(const proto::Binding& binding, proto::BindingKind kind) {
    PlanBuilder plan;
    plan.Add<Leaf>({}, "", kind);
    plan.Add<CollectNumbers>({0});
    return Run(plan, {binding});
  }
  void Store(const StoreKey& key, const Numbers& numbers) {
    StoreData data;
    data.buffers.emplace_back(EncodeToString(numbers));
    ASSERT_TRUE(other_blocks_.Put(key, data).ok());
  }
  // Holder first.
  static proto::Binding BlocksOf(std::vector<std::pair<int64_t, int64_t>> blocks) {
    proto::Binding binding;
    for (const auto& [holder, sequence] : blocks) {
      proto::BlockId& id = *binding.mutable_blocks()->add_blocks();
      id.set_stream_id(3);
      id.set_sequence(sequence);
      id.set_holder(holder);
    }
    return binding;
  }

  SpillDir other_disk_{fs_, "/other"};
  BlockStore other_blocks_{budget_, other_disk_};
  ShuffleStore other_shuffles_{budget_, other_blocks_, other_disk_};
  OtherWorker other_{other_blocks_, other_shuffles_};
  RemoteReads remote_{other_, std::chrono::seconds(10)};
};

TEST_F(RemoteReadsTest, WhatLiesElsewhereIsFetched) {
  services_.remote = &remote_;
  Store(StoreKey::Block(3, 1), {1, 2});
  Store(StoreKey::Block(3, 2), {3});
  EXPECT_THAT(NumbersOf(ReadBy<BlockNumbers>(BlocksOf({{7, 1}, {7, 2}}), proto::BINDING_BLOCKS)),
              ElementsAre(1, 2, 3));
  Store(StoreKey::Cached(40, 2), {5});
  proto::Binding cached = CachedPartition(40, 2);
  cached.mutable_cached()->set_holder(7);
  EXPECT_THAT(NumbersOf(ReadBy<CachedNumbers>(cached, proto::BINDING_CACHED)), ElementsAre(5));
  MapOutput output;
  output.shuffle_id = 9;
  output.pieces.emplace_back(1, Buffer(EncodeToString(Numbers{6})));
  ASSERT_TRUE(other_shuffles_.Put(std::move(output)).ok());
  proto::Binding shuffle = ShuffleInput(9, 1, 1);
  shuffle.mutable_shuffle()->set_holder(7);
  EXPECT_THAT(NumbersOf(ReadBy<ShuffleReadNumbers>(shuffle, proto::BINDING_SHUFFLE)),
              ElementsAre(6));
}

TEST_F(RemoteReadsTest, WhatIsThereNoMoreIsNamedWithItsHolder) {
  services_.remote = &remote_;
  const proto::TaskStatus blocks =
      ReadBy<BlockNumbers>(BlocksOf({{7, 1}, {0, 2}}), proto::BINDING_BLOCKS);
  EXPECT_EQ(blocks.outcome(), proto::TaskStatus::BLOCK_MISS);
  ASSERT_EQ(blocks.lost_blocks_size(), 2);
  EXPECT_EQ(blocks.lost_blocks(0).holder(), 7);
  EXPECT_EQ(blocks.lost_blocks(1).holder(), 0);
  proto::Binding cached = CachedPartition(40, 2);
  cached.mutable_cached()->set_holder(7);
  const proto::TaskStatus missed = ReadBy<CachedNumbers>(cached, proto::BINDING_CACHED);
  EXPECT_EQ(missed.outcome(), proto::TaskStatus::CACHE_MISS);
  ASSERT_EQ(missed.lost_cached_size(), 1);
  EXPECT_EQ(missed.lost_cached(0).holder(), 7);
}

TEST_F(RemoteReadsTest, AWorkerThatIsGoneIsNotTheTasksFault) {
  services_.remote = &remote_;
  const proto::TaskStatus status = ReadBy<BlockNumbers>(BlocksOf({{8, 1}}), proto::BINDING_BLOCKS);
  EXPECT_EQ(status.outcome(), proto::TaskStatus::PEER_MISS);
  EXPECT_THAT(status.error_message(), HasSubstr("there is no such worker"));
}

TEST_F(RemoteReadsTest, AWorkerThatKnowsNoOthersSaysSo) {
  const proto::TaskStatus status = ReadBy<BlockNumbers>(BlocksOf({{7, 1}}), proto::BINDING_BLOCKS);
  EXPECT_EQ(status.outcome(), proto::TaskStatus::FAILED);
  EXPECT_THAT(status.error_message(), HasSubstr("knows no other"));
}

}  // namespace
}  // namespace millrace::internal
