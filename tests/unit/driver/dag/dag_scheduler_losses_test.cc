#include "driver/dag/dag_scheduler.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/driver_fixture.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class DagSchedulerLossesTest : public DriverFixture {
 protected:
  static proto::ToDriver CacheMiss(const LaunchedTask& task) {
    proto::ToDriver miss = AnswerOf(task, proto::TaskStatus::CACHE_MISS);
    for (const proto::Binding& binding : task.request.bindings()) {
      if (binding.has_cached()) *miss.mutable_task_status()->add_lost_cached() = binding.cached();
    }
    return miss;
  }
  static std::string OperatorsOf(const LaunchedTask& task) {
    std::string names;
    for (const proto::PlanNode& node : task.plan->nodes()) names += node.operator_name() + " ";
    return names;
  }
};

TEST_F(DagSchedulerLossesTest, ALostPartitionIsComputedAgainAndKept) {
  AddWorker(1, 4);
  const RddRef map = Persisted(Narrow("map", Values("values", 2)));
  Collect(map);
  SucceedAll();
  const auto job = Collect(Narrow("filter", map));
  Tell(CacheMiss(workers_.Take()));
  ASSERT_THAT(workers_.launched(), SizeIs(2));
  EXPECT_EQ(OperatorsOf(workers_.launched()[0]), "cached_read filter collect ");
  EXPECT_EQ(OperatorsOf(workers_.launched()[1]), "values map cached_write filter collect ");
  SucceedAll();
  ASSERT_TRUE(job->done());
  EXPECT_THAT(job->results(), ElementsAre("collect 0", "collect 1"));
  Collect(map);
  EXPECT_EQ(OperatorsOf(workers_.launched()[0]), "cached_read collect ") << "whole again";
  SucceedAll();
}

TEST_F(DagSchedulerLossesTest, APartitionThatIsSaidToBeDroppedIsNotReadAgain) {
  AddWorker(1, 4);
  const RddRef map = Persisted(Narrow("map", Values("values", 1)));
  Collect(map);
  SucceedAll();
  proto::ToDriver dropped;
  dropped.set_worker_id(1);
  proto::CachedBinding& partition = *dropped.mutable_cached_dropped()->add_partitions();
  partition.set_rdd_id(map->rdd_id);
  Tell(std::move(dropped));
  Collect(map);
  EXPECT_EQ(OperatorsOf(workers_.launched()[0]), "values map cached_write collect ");
  SucceedAll();
}

TEST_F(DagSchedulerLossesTest, ALostPartitionBehindAShuffleIsComputedFromItsOutputs) {
  AddWorker(1, 1);
  const RddRef sum = Persisted(Shuffled("sum", Values("values", 2), 2));
  Collect(sum);
  SucceedAll();
  core_.DropShuffle(sum->dependencies[0].shuffle->shuffle_id);
  const auto job = Collect(Narrow("filter", sum));
  Tell(CacheMiss(workers_.Take()));
  // The other task, then the map stage again; the lost one waits for that without a slot.
  EXPECT_THAT(workers_.launched(), SizeIs(1));
  Tell(Success(workers_.Take(), "other"));
  ASSERT_THAT(workers_.launched(), SizeIs(1));
  EXPECT_EQ(workers_.launched()[0].root(), "write");
  SucceedAll();
  ASSERT_TRUE(job->done());
  EXPECT_TRUE(job->status().ok());
}

TEST_F(DagSchedulerLossesTest, AWorkerThatNeverFindsAnythingFailsTheJob) {
  AddWorker(1, 1);
  const RddRef map = Persisted(Values("values", 1));
  const auto job = Collect(map);
  while (!workers_.launched().empty()) Tell(CacheMiss(workers_.Take()));
  EXPECT_EQ(job->status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DagSchedulerLossesTest, ALostBlockFailsTheJobAndIsNamed) {
  AddWorker(1, 1);
  const auto job = Collect(Blocks("lines", 1, /*first_sequence=*/17, /*stream_id=*/3));
  const LaunchedTask task = workers_.Take();
  proto::ToDriver miss = AnswerOf(task, proto::TaskStatus::BLOCK_MISS);
  *miss.mutable_task_status()->add_lost_blocks() = task.request.bindings(0).blocks().blocks(0);
  Tell(std::move(miss));
  ASSERT_TRUE(job->done());
  EXPECT_EQ(job->status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(job->status().message()), HasSubstr("block 17 of stream 3"));
}

TEST_F(DagSchedulerLossesTest, AJobBeginsAgainWithoutALostWorker) {
  AddWorker(1, 2);
  AddWorker(2, 2);
  int merged = 0;
  core_.accumulators().Register(7, [&](std::string_view, int64_t) { ++merged; });
  const auto succeed = [&](const LaunchedTask& task) {
    proto::ToDriver message = Success(task, std::to_string(task.request.partition()));
    message.mutable_task_status()->add_accumulators()->set_accumulator_id(7);
    Tell(std::move(message));
  };
  const auto job = Collect(Shuffled("sum", Values("values", 2), 4));
  for (int i = 0; i < 2; ++i) succeed(workers_.Take("write"));
  // One result from each worker is in when the first worker goes.
  std::deque<LaunchedTask> reduces = std::exchange(workers_.launched(), {});
  ASSERT_THAT(reduces, SizeIs(4));
  succeed(reduces.front());
  core_.WorkerLost(1, "connection reset");
  for (const LaunchedTask& task : reduces) {
    if (task.worker_id == 2) Tell(AnswerOf(task, proto::TaskStatus::CANCELLED));
  }
  while (!workers_.launched().empty()) {
    EXPECT_EQ(workers_.launched().front().worker_id, 2);
    succeed(workers_.Take());
  }
  ASSERT_TRUE(job->done());
  ASSERT_TRUE(job->status().ok()) << job->status();
  EXPECT_THAT(job->results(), ElementsAre("0", "1", "2", "3"));
  EXPECT_EQ(merged, 2 + 4) << "every partition counts once, however often it was computed";
}

// Its output has arrived where it is read, so the results may be there before the word of its end.
TEST_F(DagSchedulerLossesTest, AMapTaskCountsThoughAllResultsAreInWhenItsWorkerIsLost) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  int merged = 0;
  core_.accumulators().Register(7, [&](std::string_view, int64_t) { ++merged; });
  const auto succeed = [&](const LaunchedTask& task) {
    proto::ToDriver message = Success(task, "result");
    message.mutable_task_status()->add_accumulators()->set_accumulator_id(7);
    Tell(std::move(message));
  };
  const auto job = Collect(Shuffled("sum", Values("values", 2), 1));
  std::deque<LaunchedTask> launched = std::exchange(workers_.launched(), {});
  ASSERT_THAT(launched, SizeIs(3));
  int64_t silent_worker = 0;
  for (const LaunchedTask& task : launched) {
    if (task.root() == "write" && task.request.partition() == 1) {
      silent_worker = task.worker_id;
    } else {
      succeed(task);
    }
  }
  core_.WorkerLost(silent_worker, "connection reset");
  while (!workers_.launched().empty()) succeed(workers_.Take());
  ASSERT_TRUE(job->done());
  EXPECT_TRUE(job->status().ok()) << job->status();
  EXPECT_EQ(merged, 2 + 1);
}

TEST_F(DagSchedulerLossesTest, JobsThatDidNotUseALostWorkerGoOn) {
  AddWorker(1, 1);
  const auto job = Collect(Values("values", 1));
  AddWorker(2, 1);
  core_.WorkerLost(2, "connection reset");
  EXPECT_THAT(workers_.launched(), SizeIs(1));
  SucceedAll();
  EXPECT_TRUE(job->status().ok());
}

TEST_F(DagSchedulerLossesTest, PartitionsKeptOnALostWorkerAreComputedAgain) {
  AddWorker(1, 1);
  const RddRef map = Persisted(Narrow("map", Values("values", 1)));
  Collect(map);
  SucceedAll();
  AddWorker(2, 1);
  core_.WorkerLost(1, "connection reset");
  const auto job = Collect(map);
  EXPECT_EQ(OperatorsOf(workers_.launched()[0]), "values map cached_write collect ");
  SucceedAll();
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerLossesTest, AJobThatLosesItsWorkersAgainAndAgainFails) {
  const auto job = Collect(Values("values", 1));
  for (int64_t id = 1; id <= 4; ++id) {
    EXPECT_FALSE(job->done());
    AddWorker(id, 1);
    core_.WorkerLost(id, "segmentation fault");
  }
  ASSERT_TRUE(job->done());
  EXPECT_EQ(job->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(job->status().message()), HasSubstr("segmentation fault"));
}

TEST_F(DagSchedulerLossesTest, ALateWordOfALostWorkerIsIgnored) {
  AddWorker(1, 1);
  const auto job = Collect(Values("values", 1));
  const LaunchedTask task = workers_.Take();
  core_.WorkerLost(1, "connection reset");
  Tell(Success(task));
  EXPECT_FALSE(job->done());
  AddWorker(2, 1);
  SucceedAll();
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerLossesTest, MapTasksAreToldWhereReducePartitionsGather) {
  AddWorker(1, 2);
  AddWorker(2, 2);
  const RddRef sum = Shuffled("sum", Values("values", 2), 4);
  JobSpec one = Collecting(sum);
  one.partitions = {1};  // The others gather somewhere too: a later job may ask for them.
  Submit(one);
  const LaunchedTask map = workers_.Take("write");
  EXPECT_THAT(map.request.bindings(0).output().reduce_workers(), ElementsAre(1, 2, 1, 2));
  Tell(Success(map));
  SucceedAll();
  const auto job = Collect(sum);
  std::vector<int64_t> places(4);
  for (const LaunchedTask& task : workers_.launched()) {
    EXPECT_EQ(task.root(), "collect") << "the map outputs are there";
    places[task.request.partition()] = task.worker_id;
  }
  EXPECT_THAT(places, ElementsAre(1, 2, 1, 2));
  SucceedAll();
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerLossesTest, ASingleWorkerKeepsItsMapOutputs) {
  AddWorker(1, 2);
  Collect(Shuffled("sum", Values("values", 1), 2));
  EXPECT_EQ(workers_.launched()[0].request.bindings(0).output().reduce_workers_size(), 0);
  SucceedAll();
}

TEST_F(DagSchedulerLossesTest, LostReducePartitionsGatherElsewhereWhenTheyAreMadeAgain) {
  AddWorker(1, 2);
  AddWorker(2, 2);
  const RddRef sum = Shuffled("sum", Values("values", 1), 2);
  Collect(sum);
  SucceedAll();
  AddWorker(3, 2);
  core_.WorkerLost(1, "connection reset");
  const auto job = Collect(sum);
  const LaunchedTask map = workers_.Take("write");
  EXPECT_THAT(map.request.bindings(0).output().reduce_workers(), ElementsAre(2, 2))
      << "the first of those that are left takes it, and what was not lost stays";
  Tell(Success(map));
  SucceedAll();
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerLossesTest, AReaderThatWasSentAheadToTheOnlyWorkerGetsItsInputsThere) {
  AddWorker(1, 1);
  const RddRef sum = Shuffled("sum", Values("values", 1), 2);
  Collect(sum);
  SucceedAll();
  core_.WorkerLost(1, "connection reset");
  AddWorker(2, 1);
  Collect(Values("others", 1));
  const LaunchedTask busy = workers_.Take();
  const auto job = Collect(sum);
  ASSERT_THAT(workers_.launched(), SizeIs(2)) << "the readers; the map task waits for a slot";
  AddWorker(3, 1);
  const LaunchedTask map = workers_.Take("write");
  EXPECT_EQ(map.worker_id, 3);
  EXPECT_THAT(map.request.bindings(0).output().reduce_workers(), ElementsAre(2, 2));
  Tell(Success(map));
  Tell(Success(busy));
  SucceedAll();
  EXPECT_TRUE(job->done());
}

// A worker may notice the end of another one before the driver does.
TEST_F(DagSchedulerLossesTest, ATaskThatDidNotReachAWorkerTriesAgainUnharmed) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  const auto job = Collect(Shuffled("sum", Values("values", 1), 1));
  for (int i = 0; i < 10; ++i) {
    Tell(AnswerOf(workers_.Take("write"), proto::TaskStatus::PEER_MISS));
    EXPECT_EQ(workers_.Take("write").plan, nullptr) << "at once";
    env_.Advance(100'000);
  }
  EXPECT_FALSE(job->done());
  const std::deque<LaunchedTask> before = std::exchange(workers_.launched(), {});
  core_.WorkerLost(1, "connection reset");
  for (const LaunchedTask& task : before) Tell(AnswerOf(task, proto::TaskStatus::CANCELLED));
  for (const LaunchedTask& task : workers_.launched()) EXPECT_EQ(task.worker_id, 2);
  while (!workers_.launched().empty()) Tell(Success(workers_.Take()));
  ASSERT_TRUE(job->done());
  EXPECT_TRUE(job->status().ok()) << job->status();
}

TEST_F(DagSchedulerLossesTest, AWorkerThatIsNeverReachedFailsTheJob) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  const auto job = Collect(Shuffled("sum", Values("values", 1), 1));
  while (!job->done() && env_.MonotonicMicros() < int64_t{200'000'000}) {
    for (LaunchedTask task = workers_.Take("write"); task.plan != nullptr;
         task = workers_.Take("write")) {
      proto::ToDriver miss = AnswerOf(task, proto::TaskStatus::PEER_MISS);
      miss.mutable_task_status()->set_error_message("worker 2 does not answer");
      Tell(std::move(miss));
    }
    env_.Advance(100'000);
  }
  ASSERT_TRUE(job->done());
  EXPECT_THAT(std::string(job->status().message()), HasSubstr("worker 2 does not answer"));
  while (!workers_.launched().empty()) {
    Tell(AnswerOf(workers_.Take(), proto::TaskStatus::CANCELLED));
  }
}

// A data set whose one partition draws on all of `parent`.
RddRef Coalesced(RddRef node, const RddRef& parent) {
  node->num_partitions = 1;
  Dependency dependency;
  dependency.kind = DependencyKind::kConcat;
  dependency.parent = parent;
  dependency.groups.emplace_back();
  for (int i = 0; i < parent->num_partitions; ++i) dependency.groups[0].push_back(i);
  node->dependencies.push_back(std::move(dependency));
  return node;
}

TEST_F(DagSchedulerLossesTest, ATaskThatDrawsOnTwoWorkersIsToldWhereToFetch) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  const RddRef map = Persisted(Narrow("map", Values("values", 2)));
  Collect(map);
  SucceedAll();  // One on each worker.
  const auto job = Collect(Coalesced(Node("coalesce", 1, BindingKind::kConcat), map));
  const LaunchedTask task = workers_.Take();
  ASSERT_EQ(task.BindingKinds(), "concat cached cached");
  std::vector<int64_t> holders;
  for (int i = 1; i <= 2; ++i) holders.push_back(task.request.bindings(i).cached().holder());
  EXPECT_THAT(holders, ElementsAre(0, 3 - task.worker_id));

  // The other worker has let it go: it is the one that has it no more, and the task computes it.
  proto::ToDriver miss = AnswerOf(task, proto::TaskStatus::CACHE_MISS);
  *miss.mutable_task_status()->add_lost_cached() = task.request.bindings(2).cached();
  Tell(std::move(miss));
  const LaunchedTask again = workers_.Take();
  EXPECT_EQ(OperatorsOf(again), "values map cached_write coalesce collect ");
  Tell(Success(again));
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerLossesTest, ATaskThatFetchesAShuffleWaitsUntilItIsComplete) {
  AddWorker(1, 2);
  AddWorker(2, 2);
  const RddRef sum = Shuffled("sum", Values("values", 1), 2);
  const auto both = Collect(sum);
  ASSERT_THAT(workers_.launched(), SizeIs(3)) << "two gather, a partition on each worker";
  const auto job = Collect(Coalesced(Node("coalesce", 1, BindingKind::kConcat), sum));
  ASSERT_THAT(workers_.launched(), SizeIs(3)) << "nothing is sent ahead that must fetch";
  Tell(Success(workers_.Take("write")));
  for (int i = 0; i < 2; ++i) Tell(Success(workers_.Take("collect")));
  EXPECT_TRUE(both->done());
  const LaunchedTask task = workers_.Take();
  ASSERT_EQ(task.BindingKinds(), "concat shuffle shuffle");
  EXPECT_EQ(task.worker_id, 1);
  EXPECT_EQ(task.request.bindings(1).shuffle().holder(), 0);
  EXPECT_EQ(task.request.bindings(2).shuffle().holder(), 2);
  Tell(Success(task));
  EXPECT_TRUE(job->done());
}

// When there was one worker nothing had to be fetched.
TEST_F(DagSchedulerLossesTest, ATaskThatMustFetchSinceAWorkerCameWaitsToo) {
  constexpr int kTasksAheadMax = 4096;
  AddWorker(1, 1);
  const auto many = Collect(Shuffled("many", Values("values", 1), kTasksAheadMax));
  const RddRef sum = Shuffled("sum", Values("values", 1), 2);
  const auto both = Collect(sum);
  const auto job = Collect(Coalesced(Node("coalesce", 1, BindingKind::kConcat), sum));
  ASSERT_THAT(workers_.launched(), SizeIs(1 + kTasksAheadMax)) << "no more fit";
  AddWorker(2, 1);
  for (const LaunchedTask& task : workers_.launched()) {
    EXPECT_NE(task.BindingKinds(), "concat shuffle shuffle");
  }
  SucceedAll();
  EXPECT_TRUE(many->done());
  EXPECT_TRUE(both->done());
  EXPECT_TRUE(job->done());
}

TEST_F(DagSchedulerLossesTest, AJobThatAnotherOnesEndHasEndedIsPassedOver) {
  const auto end_all = [this](const absl::StatusOr<JobResult>&) { core_.Stop(); };
  core_.SubmitJob(Collecting(Values("first", 1)), end_all);
  const auto second = Collect(Values("second", 1));
  for (int64_t id = 1; id <= 4; ++id) {
    AddWorker(id, 2);
    core_.WorkerLost(id, "segmentation fault");
  }
  ASSERT_TRUE(second->done());
  EXPECT_EQ(second->status().code(), absl::StatusCode::kCancelled);
}

TEST_F(DagSchedulerLossesTest, AJobThatAnotherOnesEndHasEndedDoesNotFinishToo) {
  AddWorker(1, 4);
  const RddRef sum = Shuffled("sum", Values("values", 1), 1);
  core_.SubmitJob(Collecting(sum), [this](const absl::StatusOr<JobResult>&) { core_.Stop(); });
  const auto second = Collect(sum);
  // Results may be there before the driver hears of the map task whose outputs they read.
  const LaunchedTask map = workers_.Take("write");
  EXPECT_EQ(SucceedAll(), 2);
  EXPECT_FALSE(second->done());
  Tell(Success(map));
  ASSERT_TRUE(second->done());
  EXPECT_EQ(second->status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace millrace::internal
