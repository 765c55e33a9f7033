#include "driver/dag/dag_scheduler.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/driver_fixture.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DagSchedulerTest : public DriverFixture {
 protected:
  // The names of a plan's operators, in order.
  static std::vector<std::string> Operators(const LaunchedTask& task) {
    std::vector<std::string> names;
    for (const proto::PlanNode& node : task.plan->nodes()) names.push_back(node.operator_name());
    return names;
  }
  // Takes every launched task.
  std::vector<LaunchedTask> TakeAll() {
    std::vector<LaunchedTask> tasks;
    while (!workers_.launched().empty()) tasks.push_back(workers_.Take());
    return tasks;
  }
};

TEST_F(DagSchedulerTest, ANarrowLineageIsOneStage) {
  AddWorker(1, 4);
  const auto job = Collect(Narrow("map", Values("values", 2)));
  ASSERT_THAT(workers_.launched(), SizeIs(2));
  const LaunchedTask& task = workers_.launched()[1];
  EXPECT_THAT(Operators(task), ElementsAre("values", "map", "collect"));
  EXPECT_THAT(task.plan->nodes(2).inputs(), ElementsAre(1));
  EXPECT_EQ(task.plan->nodes(1).label(), "map at test.cc:1");
  EXPECT_EQ(task.plan->nodes(1).params(), "params of map");
  EXPECT_EQ(task.BindingKinds(), "split");
  EXPECT_EQ(task.request.bindings(0).split(), "split 1");
  SucceedAll();
  ASSERT_TRUE(job->done());
  EXPECT_THAT(job->results(), ElementsAre("collect 0", "collect 1"));
}

TEST_F(DagSchedulerTest, ResultsComeInTheOrderThatWasAskedFor) {
  AddWorker(1, 4);
  JobSpec spec = Collecting(Values("values", 4));
  spec.partitions = {3, 0, 2};
  const auto job = Submit(spec);
  std::vector<LaunchedTask> tasks = TakeAll();
  ASSERT_THAT(tasks, SizeIs(3));
  for (auto task = tasks.rbegin(); task != tasks.rend(); ++task) {
    Tell(Success(*task, std::to_string(task->request.partition())));
  }
  ASSERT_TRUE(job->done());
  EXPECT_THAT(job->results(), ElementsAre("3", "0", "2"));
}

TEST_F(DagSchedulerTest, AJobOfNoPartitionsIsDoneAtOnce) {
  AddWorker(1, 1);
  const auto job = Collect(Values("values", 0));
  ASSERT_TRUE(job->done());
  EXPECT_THAT(job->results(), IsEmpty());
}

TEST_F(DagSchedulerTest, APartitionThatIsNotThereIsRefused) {
  AddWorker(1, 1);
  JobSpec spec = Collecting(Values("values", 1));
  spec.partitions = {1};
  const auto job = Submit(spec);
  EXPECT_EQ(job->status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(job->status().message()), HasSubstr("values at test.cc:1"));
}

TEST_F(DagSchedulerTest, MapAndReduceStagesAreLaunchedTogether) {
  AddWorker(1, 1);
  const auto job = Collect(Shuffled("sum", Blocks("lines", 1), 2));
  // One slot: it is the map task's, and the reduce tasks wait without one.
  const std::vector<LaunchedTask> tasks = TakeAll();
  ASSERT_THAT(tasks, SizeIs(3));
  const LaunchedTask& reduce = tasks[1];
  const LaunchedTask& map = tasks[2];
  EXPECT_THAT(Operators(map), ElementsAre("lines", "write"));
  EXPECT_EQ(map.BindingKinds(), "output blocks");
  EXPECT_EQ(map.request.bindings(0).output().reduce_count(), 2);
  EXPECT_THAT(Operators(reduce), ElementsAre("read", "sum", "collect"));
  EXPECT_EQ(reduce.BindingKinds(), "shuffle");
  EXPECT_EQ(reduce.request.bindings(0).shuffle().reduce_partition(), 1);
  EXPECT_EQ(reduce.request.bindings(0).shuffle().map_count(), 1);
  EXPECT_EQ(reduce.request.bindings(0).shuffle().shuffle_id(),
            map.request.bindings(0).output().shuffle_id());

  Tell(Success(map));
  Tell(Success(tasks[0], "a"));
  EXPECT_FALSE(job->done());
  Tell(Success(tasks[1], "b"));
  ASSERT_TRUE(job->done());
  EXPECT_THAT(job->results(), ElementsAre("a", "b"));
}

TEST_F(DagSchedulerTest, AJobIsDoneOnlyWhenItsMapStagesAre) {
  AddWorker(1, 2);
  const auto job = Collect(Shuffled("sum", Values("values", 1), 1));
  const std::vector<LaunchedTask> tasks = TakeAll();
  Tell(Success(tasks[0], "sum"));  // Its status has overtaken that of the map task.
  EXPECT_FALSE(job->done());
  Tell(Success(tasks[1]));
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerTest, AShuffleWithoutMapPartitionsIsComplete) {
  AddWorker(1, 2);
  const auto job = Collect(Shuffled("sum", Blocks("lines", 0), 2));
  EXPECT_THAT(workers_.launched(), SizeIs(2));
  SucceedAll();
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerTest, AShuffleThatIsThereIsNotMadeAgain) {
  AddWorker(1, 4);
  RddRef sum = Shuffled("sum", Values("values", 2), 1);
  Collect(sum);
  EXPECT_EQ(SucceedAll(), 3);
  const auto second = Collect(Narrow("map", sum));
  EXPECT_EQ(SucceedAll(), 1);
  EXPECT_TRUE(second->done());

  workers_.ClearSent();
  sum.reset();
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kDropShuffle), 1);
}

TEST_F(DagSchedulerTest, ConcurrentJobsShareAMapStage) {
  AddWorker(1, 4);
  const RddRef sum = Shuffled("sum", Values("values", 2), 1);
  const auto first = Collect(sum);
  const auto second = Collect(sum);
  EXPECT_EQ(SucceedAll(), 4) << "two maps, and one reduce task for each job";
  EXPECT_TRUE(first->done());
  EXPECT_TRUE(second->done());
}

TEST_F(DagSchedulerTest, AFailureOfASharedStageFailsEveryJobThatNeedsIt) {
  AddWorker(1, 1);
  const RddRef sum = Shuffled("sum", Values("values", 1), 1);
  const auto first = Collect(sum);
  const auto second = Collect(sum);
  for (int i = 0; i < 4; ++i) Tell(Failure(workers_.Take("write"), "map at test.cc:1: boom"));
  EXPECT_THAT(std::string(first->status().message()), HasSubstr("boom"));
  EXPECT_EQ(first->status(), second->status());
  // The reduce tasks of both were waiting at the worker.
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kCancelTask), 2);
  for (const LaunchedTask& task : TakeAll()) Tell(AnswerOf(task, proto::TaskStatus::CANCELLED));
}

TEST_F(DagSchedulerTest, OneJobsFailureLeavesTheOtherItsSharedStage) {
  AddWorker(1, 3);
  const RddRef sum = Shuffled("sum", Values("values", 1), 1);
  const auto good = Collect(sum);
  JobSpec spec = Collecting(Narrow("bad", sum));
  spec.root = Op("other");
  const auto bad = Submit(spec);
  const LaunchedTask map = workers_.Take("write");
  for (int i = 0; i < 4; ++i) Tell(Failure(workers_.Take("other"), "bad at test.cc:1: boom"));
  EXPECT_FALSE(bad->status().ok());
  Tell(Success(map));
  SucceedAll();
  EXPECT_TRUE(good->status().ok());
}

TEST_F(DagSchedulerTest, APersistedDataSetIsKeptByTheWay) {
  AddWorker(1, 4);
  RddRef map = Persisted(Narrow("map", Values("values", 2)));
  Collect(map);
  ASSERT_THAT(workers_.launched(), SizeIs(2));
  const LaunchedTask& task = workers_.launched()[1];
  EXPECT_THAT(Operators(task), ElementsAre("values", "map", "cached_write", "collect"));
  EXPECT_EQ(task.BindingKinds(), "cached split");
  EXPECT_EQ(task.request.bindings(0).cached().partition(), 1);
  EXPECT_EQ(task.request.bindings(0).cached().storage_level(), 1);
  SucceedAll();

  Collect(Narrow("filter", map));
  ASSERT_THAT(workers_.launched(), SizeIs(2));
  const LaunchedTask& again = workers_.launched()[1];
  EXPECT_THAT(Operators(again), ElementsAre("cached_read", "filter", "collect"));
  EXPECT_EQ(again.BindingKinds(), "cached");
  EXPECT_EQ(again.request.bindings(0).cached().storage_level(), 0);
  EXPECT_EQ(again.plan->nodes(0).label(), "map at test.cc:1") << "whose partitions they are";
  SucceedAll();

  workers_.ClearSent();
  map.reset();
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kDropRdd), 1);
}

TEST_F(DagSchedulerTest, APartlyKeptDataSetIsComputed) {
  AddWorker(1, 4);
  const RddRef map = Persisted(Narrow("map", Values("values", 2)));
  JobSpec first_only = Collecting(map);
  first_only.partitions = {0};
  Submit(first_only);
  SucceedAll();
  Collect(map);
  EXPECT_THAT(Operators(workers_.launched()[0]),
              ElementsAre("values", "map", "cached_write", "collect"));
  SucceedAll();
}

TEST_F(DagSchedulerTest, WhatIsKeptForNobodyIsDroppedAtOnce) {
  AddWorker(1, 1);
  RddRef map = Persisted(Values("values", 1));
  const auto job = Collect(map);
  const LaunchedTask task = workers_.Take();
  map->cache_lease.reset();  // Unpersist, while the task runs.
  workers_.ClearSent();
  Tell(Success(task));
  EXPECT_TRUE(job->done());
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kDropRdd), 1);
}

TEST_F(DagSchedulerTest, TheSecondOfTwoJobsWaitsForWhatTheFirstKeeps) {
  AddWorker(1, 4);
  const RddRef map = Persisted(Narrow("map", Values("values", 2)));
  const auto first = Collect(map);
  const auto second = Collect(Narrow("filter", map));
  ASSERT_THAT(workers_.launched(), SizeIs(2)) << "of the first job";
  const std::vector<LaunchedTask> tasks = TakeAll();
  Tell(Success(tasks[0]));
  EXPECT_THAT(workers_.launched(), IsEmpty());
  Tell(Success(tasks[1]));
  EXPECT_TRUE(first->done());
  ASSERT_THAT(workers_.launched(), SizeIs(2));
  EXPECT_THAT(Operators(workers_.launched()[0]), ElementsAre("cached_read", "filter", "collect"));
  SucceedAll();
  EXPECT_TRUE(second->done());
}

TEST_F(DagSchedulerTest, TheSecondJobGoesOnWhenTheFirstFails) {
  AddWorker(1, 4);
  const RddRef map = Persisted(Narrow("map", Values("values", 1)));
  JobSpec spec = Collecting(map);
  spec.root = Op("save");
  const auto first = Submit(spec);
  const auto second = Collect(map);
  for (int i = 0; i < 4; ++i) Tell(Failure(workers_.Take("save"), "save: disk full"));
  EXPECT_FALSE(first->status().ok());
  ASSERT_THAT(workers_.launched(), SizeIs(1));
  SucceedAll();
  EXPECT_TRUE(second->status().ok());
}

// The result stage keeps what its own map stage reads, or the other way round.
TEST_F(DagSchedulerTest, StagesOfOneJobThatKeepTheSameDataSetDoNotWaitInACircle) {
  AddWorker(1, 1);
  const RddRef base = Persisted(Narrow("map", Values("values", 2)));
  const RddRef sum = Shuffled("sum", base, 2);
  const RddRef join = Node("join", 2);
  join->dependencies.push_back(On(DependencyKind::kOneToOne, base));
  join->dependencies.push_back(On(DependencyKind::kOneToOne, sum));
  const auto job = Collect(join);
  SucceedAll();
  ASSERT_TRUE(job->done());
  EXPECT_TRUE(job->status().ok());
}

TEST_F(DagSchedulerTest, BatchesOfAStreamShareTheirPlans) {
  AddWorker(1, 4);
  const OperatorRef sum = Op("sum");
  for (int batch = 0; batch < 10; ++batch) {
    Collect(Shuffled("sum", Narrow("map", Blocks("lines", 2, 2 * batch)), 2), 1000 * batch);
    SucceedAll();
  }
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kRegisterPlan), 2);
}

TEST_F(DagSchedulerTest, AWindowOfManyBatchesHasASmallPlan) {
  AddWorker(1, 400);
  std::vector<RddRef> batches;
  for (int i = 0; i < 100; ++i) batches.push_back(Narrow("map", Blocks("lines", 2, 2 * i)));
  Collect(Union(batches));
  const std::vector<LaunchedTask> tasks = TakeAll();
  ASSERT_THAT(tasks, SizeIs(200));
  EXPECT_THAT(Operators(tasks[0]), ElementsAre("lines", "map", "union", "collect"));
  EXPECT_THAT(tasks[0].plan->nodes(2).inputs(), ElementsAre(1));
  for (int i = 0; i < 200; ++i) {
    const LaunchedTask& task = tasks[static_cast<size_t>(i)];
    EXPECT_EQ(task.BindingKinds(), "select blocks");
    EXPECT_EQ(task.request.bindings(0).select(), 0);
    EXPECT_EQ(task.request.bindings(1).blocks().blocks(0).sequence(), i);
    Tell(Success(task));
  }
}

TEST_F(DagSchedulerTest, AUnionOfDifferentInputsSelectsAmongThem) {
  AddWorker(1, 8);
  const RddRef a = Values("a", 1);
  const RddRef none = Values("none", 0);
  const RddRef b = Narrow("map", Values("b", 2));
  Collect(Union({a, none, b, a}));
  const std::vector<LaunchedTask> tasks = TakeAll();
  ASSERT_THAT(tasks, SizeIs(4));
  std::vector<int> selected;
  std::vector<std::string> splits;
  for (const LaunchedTask& task : tasks) {
    selected.push_back(static_cast<int>(task.request.bindings(0).select()));
    splits.push_back(task.request.bindings(1).split());
    Tell(Success(task));
  }
  EXPECT_THAT(selected, ElementsAre(0, 2, 2, 0));
  EXPECT_THAT(splits, ElementsAre("split 0", "split 0", "split 1", "split 0"));
}

TEST_F(DagSchedulerTest, BindingsStandInDepthFirstPreorder) {
  AddWorker(1, 8);
  // Two groups of the union of two sets, beside a shuffle.
  const RddRef both = Union({Blocks("lines", 2, 10), Values("values", 1)});
  const RddRef merged = Node("coalesce", 2, BindingKind::kConcat);
  merged->dependencies.push_back(On(DependencyKind::kConcat, Narrow("map", both)));
  merged->dependencies[0].groups = {{2, 0}, {1}};
  const RddRef join = Node("join", 2);
  join->dependencies.push_back(On(DependencyKind::kOneToOne, merged));
  join->dependencies.push_back(ShuffleOf(Values("other", 0), 2));
  Collect(join);
  const std::vector<LaunchedTask> tasks = TakeAll();
  ASSERT_THAT(tasks, SizeIs(2));
  EXPECT_EQ(tasks[0].BindingKinds(), "concat select split select blocks shuffle");
  EXPECT_EQ(tasks[0].request.bindings(0).concat(), 2);
  EXPECT_EQ(tasks[0].request.bindings(1).select(), 1);
  EXPECT_EQ(tasks[0].request.bindings(4).blocks().blocks(0).sequence(), 10);
  EXPECT_EQ(tasks[1].BindingKinds(), "concat select blocks shuffle");
  for (const LaunchedTask& task : tasks) Tell(Success(task));
}

TEST_F(DagSchedulerTest, AProductPairsPartitions) {
  AddWorker(1, 8);
  const RddRef product = Node("product", 6);
  product->dependencies.push_back(On(DependencyKind::kProduct, Values("a", 2)));
  product->dependencies.push_back(On(DependencyKind::kProduct, Values("b", 3)));
  Collect(product);
  const std::vector<LaunchedTask> tasks = TakeAll();
  EXPECT_EQ(tasks[4].request.bindings(0).split(), "split 1");
  EXPECT_EQ(tasks[4].request.bindings(1).split(), "split 1");
  EXPECT_EQ(tasks[2].request.bindings(0).split(), "split 0");
  EXPECT_EQ(tasks[2].request.bindings(1).split(), "split 2");
  for (const LaunchedTask& task : tasks) Tell(Success(task));
}

TEST_F(DagSchedulerTest, LineagesMayBeOfAnyLength) {
  AddWorker(1, 1);
  RddRef chain = Values("values", 1);
  for (int i = 0; i < 100'000; ++i) chain = Narrow("map", chain);
  const auto job = Collect(chain);
  SucceedAll();
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerTest, AnyNumberOfShufflesMayStandInARow) {
  AddWorker(1, 1);
  RddRef chain = Values("values", 1);
  for (int i = 0; i < 2'000; ++i) chain = Shuffled("sum", chain, 1);
  const auto job = Collect(chain);
  EXPECT_EQ(SucceedAll(), 2'001);
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerTest, FilesAreCommittedAttemptByAttempt) {
  AddWorker(1, 1);
  JobSpec spec = Collecting(Values("values", 1));
  spec.root = Op("save", BindingKind::kOutput);
  spec.output_path = "out-1000";
  const auto job = Submit(spec);
  const LaunchedTask first = workers_.Take();
  EXPECT_EQ(first.BindingKinds(), "output split");
  EXPECT_EQ(first.request.bindings(0).output().path(), "out-1000");
  Tell(Failure(first, "save: disk full"));
  EXPECT_TRUE(workers_.sent()[workers_.sent().size() - 2].message.commit_task().abort())
      << "before the next launch";
  const LaunchedTask second = workers_.Take();
  Tell(Success(second));
  EXPECT_TRUE(job->status().ok());
  const proto::CommitTask& commit = workers_.sent().back().message.commit_task();
  EXPECT_EQ(commit.task_id(), second.id());
  EXPECT_FALSE(commit.abort());
}

TEST_F(DagSchedulerTest, AJobWaitsForTheFirstWorker) {
  const auto job = Collect(Values("values", 1));
  EXPECT_THAT(workers_.launched(), IsEmpty());
  AddWorker(1, 1);
  SucceedAll();
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerTest, StopCancelsWhatRunsAndRefusesWhatComes) {
  AddWorker(1, 1);
  const RddRef sum = Shuffled("sum", Values("values", 2), 1);
  const auto job = Collect(sum);
  core_.Stop();
  EXPECT_EQ(job->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Collect(sum)->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kCancelTask), 2);
  for (const LaunchedTask& task : TakeAll()) Tell(AnswerOf(task, proto::TaskStatus::CANCELLED));
}

// A cancelled map task may still push its buckets: the shuffle is dropped after that.
TEST_F(DagSchedulerTest, AShuffleIsDroppedOnlyWhenNobodyWritesToItAnyMore) {
  AddWorker(1, 1);
  auto job = Collect(Shuffled("sum", Values("values", 1), 1));
  core_.Stop();
  EXPECT_TRUE(job->done());
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kDropShuffle), 0);
  Tell(AnswerOf(workers_.Take("collect"), proto::TaskStatus::CANCELLED));
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kDropShuffle), 0);
  Tell(Success(workers_.Take("write")));
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kDropShuffle), 1);
}

TEST_F(DagSchedulerTest, KeepsWhatTheStagesOfABatchDid) {
  AddWorker(1, 4);
  Collect(Shuffled("sum", Narrow("map", Blocks("lines", 2)), 1), 1000);
  while (!workers_.launched().empty()) {
    const LaunchedTask task = workers_.Take();
    proto::ToDriver message = Success(task);
    message.mutable_task_status()->set_run_micros(10);
    for (int node = 0; node < 3; ++node) {
      proto::OperatorMetrics& metrics = *message.mutable_task_status()->add_operators();
      metrics.set_node(static_cast<uint32_t>(node));
      metrics.set_records(100);
    }
    Tell(std::move(message));
  }
  const std::vector<StageReport> stages = core_.StagesOf(1000);
  ASSERT_THAT(stages, SizeIs(2));
  const StageReport& map = stages[stages[0].task_count == 2 ? 0 : 1];
  EXPECT_EQ(map.run_micros, 20);
  ASSERT_THAT(map.operators, SizeIs(3));
  EXPECT_EQ(map.operators[1].label, "map at test.cc:1");
  EXPECT_EQ(map.operators[1].records, 200);
  EXPECT_THAT(core_.StagesOf(2000), IsEmpty());
}

// What workers report is summed; a sum beyond all numbers has no value.
TEST_F(DagSchedulerTest, WhatWorkersReportCountsUpToTheLargestNumber) {
  AddWorker(1, 4);
  Collect(Values("values", 3), 1000);
  for (const int64_t reported : {INT64_MAX - 5, int64_t{7}, INT64_MIN}) {
    proto::ToDriver message = Success(workers_.Take());
    message.mutable_task_status()->set_run_micros(reported);
    message.mutable_task_status()->add_operators()->set_records(reported);
    Tell(std::move(message));
  }
  const std::vector<StageReport> stages = core_.StagesOf(1000);
  ASSERT_THAT(stages, SizeIs(1));
  EXPECT_EQ(stages[0].run_micros, INT64_MAX);
  EXPECT_EQ(stages[0].operators[0].records, INT64_MAX);
}

}  // namespace
}  // namespace millrace::internal
