#include "driver/task/task_scheduler.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/driver_fixture.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class TaskSchedulerTest : public DriverFixture {
 protected:
  using DriverFixture::DriverFixture;

  std::vector<int64_t> WorkersOfLaunched() {
    std::vector<int64_t> ids;
    for (const LaunchedTask& task : workers_.launched()) ids.push_back(task.worker_id);
    return ids;
  }
  std::vector<uint32_t> PartitionsOfLaunched() {
    std::vector<uint32_t> partitions;
    for (const LaunchedTask& task : workers_.launched()) {
      partitions.push_back(task.request.partition());
    }
    return partitions;
  }
};

TEST_F(TaskSchedulerTest, RunsNoMoreTasksThanThereAreSlots) {
  AddWorker(1, 2);
  const auto job = Collect(Values("values", 5));
  EXPECT_THAT(PartitionsOfLaunched(), ElementsAre(0, 1));
  Tell(Success(workers_.Take()));
  EXPECT_THAT(PartitionsOfLaunched(), ElementsAre(1, 2));
  SucceedAll();
  EXPECT_TRUE(job->done());
}

TEST_F(TaskSchedulerTest, SpreadsTasksOverWorkers) {
  AddWorker(1, 4);
  AddWorker(2, 4);
  Collect(Values("values", 4));
  EXPECT_THAT(WorkersOfLaunched(), UnorderedElementsAre(1, 1, 2, 2));
  SucceedAll();
}

TEST_F(TaskSchedulerTest, EveryAttemptHasAnIdOfItsOwnAndItsNumber) {
  AddWorker(1, 1);
  Collect(Values("values", 1));
  const LaunchedTask first = workers_.Take();
  EXPECT_EQ(first.request.attempt(), 0);
  Tell(Failure(first, "values at test.cc:1: boom"));
  const LaunchedTask second = workers_.Take();
  EXPECT_EQ(second.request.attempt(), 1);
  EXPECT_NE(second.id(), first.id());
  Tell(Success(second));
}

TEST_F(TaskSchedulerTest, ATaskThatFailsThreeTimesMayStillSucceed) {
  AddWorker(1, 1);
  const auto job = Collect(Values("values", 1));
  for (int i = 0; i < 3; ++i) Tell(Failure(workers_.Take(), "values at test.cc:1: boom"));
  EXPECT_FALSE(job->done());
  SucceedAll();
  EXPECT_TRUE(job->status().ok());
}

TEST_F(TaskSchedulerTest, AJobFailsWithItsTasksFourthFailure) {
  AddWorker(1, 2);
  const auto job = Collect(Narrow("map", Values("values", 2)));
  Tell(Success(workers_.Take()));
  for (int i = 0; i < 4; ++i) {
    Tell(Failure(workers_.Take(), "map at test.cc:1: no number: 'x" + std::to_string(i) + "'"));
  }
  ASSERT_TRUE(job->done());
  EXPECT_EQ(job->status().code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(
      job->status().message(),
      "map at test.cc:1: no number: 'x3' (task 2 of 2 of collect at test.cc:1 failed 4 times, "
      "the last time on worker 1)");
}

class PatientTaskSchedulerTest : public TaskSchedulerTest {
 protected:
  PatientTaskSchedulerTest()
      : TaskSchedulerTest([] {
          DriverOptions options;
          options.tasks.max_failures = 300;
          return options;
        }()) {}
};

TEST_F(PatientTaskSchedulerTest, AJobFailsAfterAsManyFailuresAsItMayHave) {
  AddWorker(1, 1);
  const auto job = Collect(Values("values", 1));
  for (int i = 0; i < 300; ++i) {
    ASSERT_FALSE(job->done()) << i;
    Tell(Failure(workers_.Take(), "boom"));
  }
  EXPECT_TRUE(job->done());
}

TEST_F(TaskSchedulerTest, RetriesElsewhereWhenPossible) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  const auto job = Collect(Values("values", 1));
  const LaunchedTask first = workers_.Take();
  Tell(Failure(first, "boom"));
  const LaunchedTask second = workers_.Take();
  EXPECT_NE(second.worker_id, first.worker_id);
  Tell(Success(second));
  EXPECT_TRUE(job->done());
}

TEST_F(TaskSchedulerTest, RetriesWhereItFailedWhenTheOthersAreBusyForLong) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  Collect(Values("values", 2));
  const LaunchedTask first = workers_.Take();
  Tell(Failure(first, "boom"));
  EXPECT_THAT(workers_.launched(), SizeIs(1)) << "only the other worker's own task";
  env_.Advance(999'999);
  EXPECT_THAT(workers_.launched(), SizeIs(1));
  env_.Advance(1);
  ASSERT_THAT(workers_.launched(), SizeIs(2));
  EXPECT_EQ(workers_.launched()[1].worker_id, first.worker_id);
  SucceedAll();
}

TEST_F(TaskSchedulerTest, TasksPreferTheHostsOfTheirData) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  const RddRef files = Values("files", 2);
  for (SourcePartition& source : files->sources) source.preferred_hosts = {"host2"};
  Collect(files);
  EXPECT_THAT(WorkersOfLaunched(), ElementsAre(2));
  env_.Advance(20'000);
  EXPECT_THAT(WorkersOfLaunched(), ElementsAre(2, 1)) << "rather than to wait for long";
  SucceedAll();
}

TEST_F(TaskSchedulerTest, TasksRunWhereTheirPersistedPartitionsAre) {
  AddWorker(1, 2);
  AddWorker(2, 2);
  const RddRef map = Persisted(Values("values", 4));
  Collect(map);
  std::map<uint32_t, int64_t> places;
  for (const LaunchedTask& task : workers_.launched()) {
    places[task.request.partition()] = task.worker_id;
  }
  SucceedAll();
  Collect(Narrow("filter", map));
  ASSERT_THAT(workers_.launched(), SizeIs(4));
  for (const LaunchedTask& task : workers_.launched()) {
    EXPECT_EQ(task.worker_id, places[task.request.partition()]);
  }
  SucceedAll();
}

TEST_F(TaskSchedulerTest, ReduceTasksRunWhereTheirPartitionGathers) {
  AddWorker(1, 2);
  AddWorker(2, 2);
  const RddRef sum = Shuffled("sum", Values("values", 2), 4);
  Collect(sum);
  std::map<uint32_t, int64_t> places;
  for (const LaunchedTask& task : workers_.launched()) {
    if (task.root() == "collect") places[task.request.partition()] = task.worker_id;
  }
  EXPECT_THAT(places, SizeIs(4));
  SucceedAll();
  Collect(Narrow("map", sum));
  for (int round = 0; !workers_.launched().empty(); ++round) {
    const LaunchedTask task = workers_.Take();
    EXPECT_EQ(task.worker_id, places[task.request.partition()]);
    Tell(Success(task));
  }
}

// While there is one worker, tasks are not asked where they must run.
TEST_F(TaskSchedulerTest, TasksThatWaitWhenASecondWorkerComesStillRunWhereTheirInputsAre) {
  AddWorker(1, 1);
  const RddRef sum = Shuffled("sum", Values("values", 1), 2);
  Collect(sum);
  SucceedAll();
  Collect(Values("busy", 1));
  Collect(Narrow("map", sum));
  const LaunchedTask busy = workers_.Take();
  AddWorker(2, 8);
  EXPECT_THAT(workers_.launched(), IsEmpty());
  Tell(Success(busy));
  EXPECT_THAT(WorkersOfLaunched(), ElementsAre(1));
  SucceedAll();
}

TEST_F(TaskSchedulerTest, WhatReadsTwoShufflesFindsBothOnOneWorker) {
  AddWorker(1, 8);
  AddWorker(2, 8);
  const RddRef first = Shuffled("first", Values("a", 1), 4);
  Collect(first);
  SucceedAll();
  const RddRef join = Node("join", 4);
  join->dependencies.push_back(On(DependencyKind::kOneToOne, first));
  join->dependencies.push_back(ShuffleOf(Values("b", 1), 4));
  Collect(join);
  EXPECT_EQ(SucceedAll(), 5);
}

TEST_F(TaskSchedulerTest, RepeatedAndUnknownStatusesChangeNothing) {
  AddWorker(1, 1);
  int merged = 0;
  core_.accumulators().Register(7, [&](std::string_view, int64_t) { ++merged; });
  const auto job = Collect(Values("values", 2));
  const LaunchedTask first = workers_.Take();
  proto::ToDriver answer = Success(first);
  answer.mutable_task_status()->add_accumulators()->set_accumulator_id(7);
  Tell(answer);
  Tell(answer);
  LaunchedTask unknown = first;
  unknown.request.set_task_id(first.id() + 1000);
  Tell(Failure(unknown, "boom"));
  EXPECT_FALSE(job->done());
  EXPECT_THAT(workers_.launched(), SizeIs(1));
  SucceedAll();
  EXPECT_TRUE(job->done());
  EXPECT_EQ(merged, 1);
}

TEST_F(TaskSchedulerTest, OnlyAttemptsThatCountAddToAccumulators) {
  AddWorker(1, 1);
  std::string merged;
  core_.accumulators().Register(7, [&](std::string_view update, int64_t) { merged += update; });
  Collect(Shuffled("sum", Values("values", 1), 1));
  const auto answer = [&](proto::ToDriver message, const char* update) {
    proto::AccumulatorUpdate& added = *message.mutable_task_status()->add_accumulators();
    added.set_accumulator_id(7);
    added.set_value(update);
    Tell(std::move(message));
  };
  const LaunchedTask map = workers_.Take("write");
  answer(Failure(map, "boom"), "x");
  const LaunchedTask again = workers_.Take("write");
  answer(Success(again), "a");
  const LaunchedTask reduce = workers_.Take();
  answer(Success(reduce), "b");
  EXPECT_EQ(merged, "ab");
}

TEST_F(TaskSchedulerTest, AForgottenPlanIsRegisteredAgainAtNoCost) {
  AddWorker(1, 1);
  const auto job = Collect(Values("values", 1));
  for (int i = 0; i < 4; ++i) {
    const LaunchedTask task = workers_.Take();
    EXPECT_NE(task.plan, nullptr);
    Tell(AnswerOf(task, proto::TaskStatus::PLAN_MISS));
  }
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kRegisterPlan), 5);
  SucceedAll();
  EXPECT_TRUE(job->status().ok());
}

TEST_F(TaskSchedulerTest, AWorkerThatNeverKeepsAPlanFailsTheJob) {
  AddWorker(1, 1);
  const auto job = Collect(Values("values", 1));
  while (!workers_.launched().empty()) {
    Tell(AnswerOf(workers_.Take(), proto::TaskStatus::PLAN_MISS));
  }
  EXPECT_THAT(std::string(job->status().message()), HasSubstr("does not keep the plans"));
}

TEST_F(TaskSchedulerTest, JobsAreServedInTheOrderOfTheirSubmission) {
  AddWorker(1, 1);
  Collect(Values("first", 2));
  Collect(Values("second", 1));
  std::vector<std::string> order;
  while (!workers_.launched().empty()) {
    const LaunchedTask task = workers_.Take();
    order.push_back(task.plan->nodes(0).operator_name());
    Tell(Success(task));
  }
  EXPECT_THAT(order, ElementsAre("first", "first", "second"));
}

// Reduce tasks that wait hold no slot, so a job behind them is not held up.
TEST_F(TaskSchedulerTest, WaitingTasksDoNotHoldUpOtherJobs) {
  AddWorker(1, 1);
  Collect(Shuffled("sum", Values("values", 1), 3));
  const LaunchedTask map = workers_.Take("write");
  const auto other = Collect(Values("other", 1));
  Tell(Success(map));
  // Now the three reduce tasks have the slot, and more.
  EXPECT_THAT(workers_.launched(), SizeIs(3));
  for (int i = 0; i < 2; ++i) Tell(Success(workers_.Take()));
  EXPECT_THAT(workers_.launched(), SizeIs(1));
  Tell(Success(workers_.Take()));
  EXPECT_THAT(workers_.launched(), SizeIs(1));
  SucceedAll();
  EXPECT_TRUE(other->done());
}

class FairTaskSchedulerTest : public TaskSchedulerTest {
 protected:
  FairTaskSchedulerTest() : TaskSchedulerTest(FairOptions()) {}

  static DriverOptions FairOptions() {
    DriverOptions options;
    options.tasks.pools.is_fair = true;
    options.tasks.pools.pools = {
        {"heavy", {.weight = 2}}, {"urgent", {.min_share = 4}}, {"even", {.is_fair = true}}};
    return options;
  }
  std::map<std::string, int> LaunchedByName() {
    std::map<std::string, int> launched;
    for (const LaunchedTask& task : workers_.launched()) {
      ++launched[task.plan->nodes(0).operator_name()];
    }
    return launched;
  }
  std::shared_ptr<JobWatch> CollectIn(const std::string& pool, int partitions,
                                      const std::string& name = "") {
    JobSpec spec = Collecting(Values(name.empty() ? pool : name, partitions));
    spec.pool = pool;
    return Submit(spec);
  }
};

TEST_F(FairTaskSchedulerTest, PoolsShareSlotsByWeight) {
  const auto heavy = CollectIn("heavy", 20);
  const auto light = CollectIn("light", 20);
  AddWorker(1, 6);
  auto launched = LaunchedByName();
  EXPECT_EQ(launched["heavy"], 4);
  EXPECT_EQ(launched["light"], 2);
  SucceedAll();
  EXPECT_TRUE(heavy->done() && light->done());
}

TEST_F(FairTaskSchedulerTest, APoolBelowItsLeastShareComesFirst) {
  const auto heavy = CollectIn("heavy", 20);
  const auto urgent = CollectIn("urgent", 20);
  AddWorker(1, 5);
  auto launched = LaunchedByName();
  EXPECT_EQ(launched["urgent"], 4);
  EXPECT_EQ(launched["heavy"], 1);
  SucceedAll();
  EXPECT_TRUE(heavy->done() && urgent->done());
}

TEST_F(FairTaskSchedulerTest, WithinAPoolJobsComeInOrderUnlessItIsFair) {
  const auto first = CollectIn("light", 20, "first");
  const auto second = CollectIn("light", 20, "second");
  const auto third = CollectIn("even", 20, "third");
  const auto fourth = CollectIn("even", 20, "fourth");
  AddWorker(1, 8);
  auto launched = LaunchedByName();
  EXPECT_EQ(launched["first"], 4);
  EXPECT_EQ(launched["second"], 0);
  EXPECT_EQ(launched["third"], 2);
  EXPECT_EQ(launched["fourth"], 2);
  SucceedAll();
  EXPECT_TRUE(first->done() && second->done() && third->done() && fourth->done());
}

TEST_F(FairTaskSchedulerTest, AFairPoolEvensOutWhatItsJobsHaveRunning) {
  const auto first = CollectIn("even", 9, "first");
  AddWorker(1, 4);
  const auto second = CollectIn("even", 9, "second");
  EXPECT_EQ(LaunchedByName()["first"], 4);
  // Each slot that the first gives back goes to the second until both have two, and then in turn.
  std::vector<std::string> order;
  size_t seen = 4;
  while (!workers_.launched().empty()) {
    Tell(Success(workers_.Take()));
    for (--seen; seen < workers_.launched().size(); ++seen) {
      order.push_back(workers_.launched()[seen].plan->nodes(0).operator_name());
    }
  }
  EXPECT_THAT(
      order, ElementsAre("second", "second", "first", "first", "second", "second", "first", "first",
                         "second", "second", "first", "second", "second", "second"));
  EXPECT_TRUE(first->done() && second->done());
}

TEST_F(FairTaskSchedulerTest, PoolsAndFairJobsTakeTurnsOnASingleSlot) {
  const auto light = CollectIn("light", 4);
  const auto even = CollectIn("even", 2, "third");
  const auto even_too = CollectIn("even", 2, "fourth");
  AddWorker(1, 1);
  std::vector<std::string> order;
  while (!workers_.launched().empty()) {
    const LaunchedTask task = workers_.Take();
    order.push_back(task.plan->nodes(0).operator_name());
    Tell(Success(task));
  }
  EXPECT_THAT(
      order, ElementsAre("light", "third", "light", "fourth", "light", "third", "light", "fourth"));
  EXPECT_TRUE(light->done() && even->done() && even_too->done());
}

TEST_F(TaskSchedulerTest, InFifoModePoolsMeanNothing) {
  JobSpec spec = Collecting(Values("first", 4));
  spec.pool = "a";
  const auto first = Submit(spec);
  spec = Collecting(Values("second", 4));
  spec.pool = "b";
  const auto second = Submit(spec);
  AddWorker(1, 4);
  for (const LaunchedTask& task : workers_.launched()) {
    EXPECT_EQ(task.plan->nodes(0).operator_name(), "first");
  }
  SucceedAll();
  EXPECT_TRUE(first->done() && second->done());
}

TEST_F(TaskSchedulerTest, BroadcastsAreOnEveryWorkerBeforeItsTasks) {
  AddWorker(1, 1);
  core_.PutBroadcast(5, "value");
  AddWorker(2, 1);
  const RddRef map = Narrow("map", Values("values", 1));
  auto op = std::make_shared<OperatorSpec>(*map->op);
  op->broadcasts.push_back({5, nullptr});
  map->op = std::move(op);
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kPutBroadcast), 2);
  Collect(map);
  EXPECT_THAT(workers_.launched()[0].request.broadcast_ids(), ElementsAre(5));
  SucceedAll();
  core_.DropBroadcast(5);
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kDropBroadcast), 2);
}

}  // namespace
}  // namespace millrace::internal
