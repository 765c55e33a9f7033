// Stages that update keyed state.
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

class StateUpdateTest : public DriverFixture {
 protected:
  StateUpdateTest() {
    AddWorker(1, 8);
    state_id_ = NewId();
    lease_ = LeaseOf(state_id_, &DriverCore::DropState);
  }
  void TearDown() override {
    lease_.reset();
    DriverFixture::TearDown();
  }

  RddRef Update(int64_t time_ms, int64_t previous_ms, int partitions = 2) {
    return Stateful("update", Values("values", 1), partitions, state_id_, time_ms, previous_ms);
  }
  RddRef NeedingUpdate(int64_t time_ms, int64_t previous_ms) {
    return Stateful("update", Values("values", 1), 2, state_id_, time_ms, previous_ms,
                    /*needs_previous=*/true);
  }
  // Answers map tasks until the tasks of the state stage are there.
  void FinishMaps() {
    while (true) {
      const LaunchedTask map = workers_.Take("write");
      if (map.plan == nullptr) return;
      Tell(Success(map));
    }
  }
  struct Verdict {
    int64_t task_id;
    bool abort;
    bool operator==(const Verdict&) const = default;
  };
  std::vector<Verdict> Verdicts() {
    std::vector<Verdict> verdicts;
    for (const SentMessage& sent : workers_.sent()) {
      if (!sent.message.has_commit_task()) continue;
      verdicts.push_back(
          {sent.message.commit_task().task_id(), sent.message.commit_task().abort()});
    }
    return verdicts;
  }

  int64_t state_id_ = 0;
  Lease lease_;
};

TEST_F(StateUpdateTest, AnUpdateIsAStageOfItsOwnWhoseOutputIsRead) {
  const auto job = Collect(Narrow("map", Update(1000, -1)));
  FinishMaps();
  ASSERT_THAT(workers_.launched(), SizeIs(2)) << "what reads the output waits for the commit";
  const LaunchedTask first = workers_.Take();
  EXPECT_EQ(first.root(), "update");
  EXPECT_EQ(first.BindingKinds(), "state shuffle");
  const proto::StateBinding& state = first.request.bindings(0).state();
  EXPECT_EQ(state.state_id(), state_id_);
  EXPECT_EQ(state.batch_time_ms(), 1000);
  EXPECT_EQ(state.previous_time_ms(), -1);
  EXPECT_EQ(state.storage_level(), 3);
  const LaunchedTask second = workers_.Take();

  Tell(Success(first));
  EXPECT_THAT(Verdicts(), IsEmpty()) << "all partitions or none";
  Tell(Success(second));
  EXPECT_THAT(Verdicts(), ElementsAre(Verdict{first.id(), false}, Verdict{second.id(), false}));
  ASSERT_THAT(workers_.launched(), SizeIs(2));
  EXPECT_EQ(workers_.launched()[0].BindingKinds(), "cached");
  EXPECT_EQ(workers_.sent().back().message.kind_case(), proto::ToWorker::kLaunchTasks)
      << "after the verdicts";
  SucceedAll();
  EXPECT_TRUE(job->status().ok());
}

TEST_F(StateUpdateTest, AnUpdateIsMadeOnceForAllJobsOfABatch) {
  const RddRef update = Update(1000, -1);
  const auto first = Collect(update);
  const auto second = Collect(Narrow("map", update));
  SucceedAll();
  EXPECT_TRUE(first->done() && second->done());
  const auto third = Collect(Narrow("filter", update));
  EXPECT_EQ(SucceedAll(), 2);
  EXPECT_TRUE(third->status().ok());
  EXPECT_THAT(Verdicts(), SizeIs(2));
}

TEST_F(StateUpdateTest, EachUpdateStartsFromTheOneBefore) {
  for (int64_t time = 1000; time <= 3000; time += 1000) {
    const auto job = Collect(Update(time, time == 1000 ? -1 : time - 1000));
    FinishMaps();
    EXPECT_EQ(workers_.launched()[0].request.bindings(0).state().previous_time_ms(),
              time == 1000 ? -1 : time - 1000);
    SucceedAll();
    EXPECT_TRUE(job->done());
  }
}

TEST_F(StateUpdateTest, AFailedUpdateIsUndoneAndTheNextGoesOnWithoutIt) {
  Collect(Update(1000, -1));
  SucceedAll();
  workers_.ClearSent();
  const auto failing = Collect(Update(2000, 1000));
  FinishMaps();
  const LaunchedTask good = workers_.Take();
  Tell(Success(good));
  std::vector<Verdict> expected;
  for (int i = 0; i < 4; ++i) {
    const LaunchedTask bad = workers_.Take();
    Tell(Failure(bad, "update at test.cc:1: boom"));
    expected.push_back({bad.id(), true});
  }
  EXPECT_THAT(std::string(failing->status().message()), HasSubstr("boom"));
  expected.push_back({good.id(), true});
  EXPECT_EQ(Verdicts(), expected);

  const auto next = Collect(Update(3000, 2000));
  FinishMaps();
  EXPECT_EQ(workers_.launched()[0].request.bindings(0).state().previous_time_ms(), 1000);
  SucceedAll();
  EXPECT_TRUE(next->status().ok());
}

TEST_F(StateUpdateTest, AnUpdateThatNeedsTheOneBeforeFailsWithoutIt) {
  const RddRef first = Update(1000, -1);
  Collect(first);
  SucceedAll();
  EXPECT_TRUE(first->state->is_committed->load());
  const RddRef failing = Update(2000, 1000);
  Collect(failing);
  FinishMaps();
  while (true) {
    const LaunchedTask task = workers_.Take();
    if (task.plan == nullptr) break;
    Tell(Failure(task, "boom"));
  }
  EXPECT_FALSE(failing->state->is_committed->load());

  const auto needing = Collect(NeedingUpdate(3000, 2000));
  FinishMaps();
  ASSERT_TRUE(needing->done());
  EXPECT_EQ(needing->status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(needing->status().message()),
              HasSubstr("the update of batch 2000 ms is missing"));
  EXPECT_THAT(std::string(needing->status().message()), HasSubstr("boom")) << "it says why";

  const auto anew = Collect(NeedingUpdate(4000, -1));
  FinishMaps();
  EXPECT_EQ(workers_.launched()[0].request.bindings(0).state().previous_time_ms(), -1);
  SucceedAll();
  EXPECT_TRUE(anew->status().ok());
}

TEST_F(StateUpdateTest, AnUpdateWaitsUntilTheOneBeforeHasLetGo) {
  auto failing = Collect(Update(1000, -1));
  FinishMaps();
  const LaunchedTask held = workers_.Take();
  for (int i = 0; i < 4; ++i) Tell(Failure(workers_.Take(), "boom"));
  EXPECT_TRUE(failing->done());
  const auto next = Collect(Update(2000, 1000));
  FinishMaps();
  EXPECT_THAT(workers_.launched(), IsEmpty()) << "the cancelled attempt may hold the state still";
  Tell(Success(held));
  EXPECT_THAT(Verdicts().back(), (Verdict{held.id(), true}));
  EXPECT_THAT(workers_.launched(), SizeIs(2));
  SucceedAll();
  EXPECT_TRUE(next->status().ok());
}

TEST_F(StateUpdateTest, TwoJobsUpdateInTheOrderOfTheirBatches) {
  const auto first = Collect(Update(1000, -1));
  const auto second = Collect(Update(2000, 1000));
  FinishMaps();
  ASSERT_THAT(workers_.launched(), SizeIs(2));
  EXPECT_EQ(workers_.launched()[0].request.bindings(0).state().batch_time_ms(), 1000);
  SucceedAll();
  EXPECT_TRUE(first->done() && second->done());
}

TEST_F(StateUpdateTest, AccumulatorsCountWithTheCommit) {
  int merged = 0;
  core_.accumulators().Register(7, [&](std::string_view, int64_t) { ++merged; });
  Collect(Update(1000, -1));
  FinishMaps();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(merged, 0);
    proto::ToDriver message = Success(workers_.Take());
    message.mutable_task_status()->add_accumulators()->set_accumulator_id(7);
    Tell(std::move(message));
  }
  EXPECT_EQ(merged, 2);
  SucceedAll();
}

TEST_F(StateUpdateTest, StateOnALostWorkerIsAnErrorWhereItIsNotRepaired) {
  AddWorker(2, 8);
  Collect(Update(1000, -1));
  SucceedAll();
  core_.WorkerLost(2, "gone");
  const auto job = Collect(Update(2000, 1000));
  SucceedAll();
  ASSERT_TRUE(job->done());
  EXPECT_EQ(job->status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(job->status().message()), HasSubstr("update at test.cc:1: a worker"));
}

TEST_F(StateUpdateTest, ALostOutputIsAnErrorThatSaysSo) {
  const RddRef update = Update(1000, -1);
  Collect(update);
  SucceedAll();
  const auto job = Collect(Narrow("map", update));
  const LaunchedTask task = workers_.Take();
  proto::ToDriver miss = AnswerOf(task, proto::TaskStatus::CACHE_MISS);
  *miss.mutable_task_status()->add_lost_cached() = task.request.bindings(0).cached();
  Tell(std::move(miss));
  ASSERT_TRUE(job->done());
  EXPECT_EQ(job->status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(job->status().message()), HasSubstr("update at test.cc:1"));
  EXPECT_THAT(std::string(job->status().message()), HasSubstr("1000 ms"));
  while (!workers_.launched().empty()) Tell(Success(workers_.Take()));
}

TEST_F(StateUpdateTest, StateThatIsOnALostWorkerIsAnError) {
  Collect(Update(1000, -1));
  SucceedAll();
  AddWorker(2, 4);
  core_.WorkerLost(1, "connection reset");
  const auto job = Collect(Update(2000, 1000));
  SucceedAll();
  EXPECT_EQ(job->status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(job->status().message()), HasSubstr("update at test.cc:1"));
}

TEST_F(StateUpdateTest, StateStaysOnItsWorkers) {
  Collect(Update(1000, -1));
  SucceedAll();
  AddWorker(2, 8);
  Collect(Update(2000, 1000));
  SucceedAll();
  for (const SentMessage& sent : workers_.sent()) {
    for (const proto::TaskRequest& request : sent.message.launch_tasks().tasks()) {
      if (request.bindings_size() > 0 && request.bindings(0).has_state()) {
        EXPECT_EQ(sent.worker_id, 1);
      }
    }
  }
}

}  // namespace
}  // namespace millrace::internal
