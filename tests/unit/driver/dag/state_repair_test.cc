// Partitions of state that a lost worker had, made again.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "driver/dag/dag_scheduler.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/driver_fixture.h"

namespace millrace::internal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int kPartitions = 4;

DriverOptions WithRepairs() {
  DriverOptions options;
  options.repairs_states = true;
  return options;
}

class StateRepairTest : public DriverFixture {
 protected:
  StateRepairTest() : DriverFixture(WithRepairs()) {
    AddWorker(1, 8);
    AddWorker(2, 8);
    state_id_ = NewId();
    lease_ = LeaseOf(state_id_, &DriverCore::DropState);
  }
  void TearDown() override {
    lease_.reset();
    DriverFixture::TearDown();
  }

  RddRef Update(int64_t time_ms) {
    return Stateful("update", Values("values", 1), kPartitions, state_id_, time_ms,
                    time_ms == 1000 ? -1 : time_ms - 1000);
  }
  void MakeUpdates(int64_t first_ms, int64_t last_ms) {
    for (int64_t time = first_ms; time <= last_ms; time += 1000) {
      const auto job = Collect(Update(time));
      SucceedAll();
      ASSERT_TRUE(job->done());
    }
  }
  RddRef Load(int64_t time_ms) {
    return Stateful("load", Values("saved", 1), kPartitions, state_id_, time_ms, -1);
  }

  // -1: it does not update a state.
  static int64_t BatchTimeOf(const LaunchedTask& task) {
    for (const proto::Binding& binding : task.request.bindings()) {
      if (binding.has_state()) return binding.state().batch_time_ms();
    }
    return -1;
  }
  // Answers everything. What was done to the state: "update 2000 behind 1000: 1 3".
  std::vector<std::string> SucceedAllSteps() {
    std::vector<std::string> steps;
    while (!workers_.launched().empty()) {
      const LaunchedTask task = workers_.Take();
      for (const proto::Binding& binding : task.request.bindings()) {
        if (!binding.has_state()) continue;
        const proto::StateBinding& state = binding.state();
        std::string step = absl::StrCat(task.root(), " ", state.batch_time_ms(), " behind ",
                                        state.previous_time_ms(), ":");
        if (steps.empty() || !steps.back().starts_with(step)) steps.push_back(step);
        absl::StrAppend(&steps.back(), " ", state.partition());
      }
      Tell(Success(task, task.root()));
    }
    return steps;
  }
  int64_t state_id_ = 0;
  Lease lease_;
};

TEST_F(StateRepairTest, TheUpdatesOfLostPartitionsAreMadeAgainBeforeTheNext) {
  MakeUpdates(1000, 2000);
  core_.WorkerLost(2, "gone");
  const auto job = Collect(Update(3000));
  EXPECT_THAT(SucceedAllSteps(),
              ElementsAre("update 1000 behind -1: 1 3", "update 2000 behind 1000: 1 3",
                          "update 3000 behind 2000: 0 1 2 3"));
  ASSERT_TRUE(job->done());
  EXPECT_TRUE(job->status().ok()) << job->status();
}

TEST_F(StateRepairTest, WhatWasSavedStandsForTheUpdatesUpToThere) {
  MakeUpdates(1000, 3000);
  core_.StateSaved(state_id_, Load(2000));
  core_.WorkerLost(1, "gone");
  Collect(Update(4000));
  EXPECT_THAT(SucceedAllSteps(),
              ElementsAre("load 2000 behind -1: 0 2", "update 3000 behind 2000: 0 2",
                          "update 4000 behind 3000: 0 1 2 3"));
}

TEST_F(StateRepairTest, WhatIsSavedOfALaterUpdateThanThereWasIsNotTaken) {
  MakeUpdates(1000, 1000);
  core_.StateSaved(state_id_, Load(2000));
  core_.WorkerLost(1, "gone");
  Collect(Update(2000));
  EXPECT_THAT(SucceedAllSteps(),
              ElementsAre("update 1000 behind -1: 0 2", "update 2000 behind 1000: 0 1 2 3"));
}

TEST_F(StateRepairTest, OutputThatIsReadIsThereAgain) {
  MakeUpdates(1000, 1000);
  const RddRef update = Update(2000);
  Collect(update);
  SucceedAll();
  core_.WorkerLost(2, "gone");
  const auto job = Collect(Narrow("map", update));
  EXPECT_THAT(SucceedAllSteps(),
              ElementsAre("update 1000 behind -1: 1 3", "update 2000 behind 1000: 1 3"));
  ASSERT_TRUE(job->done());
  EXPECT_THAT(job->results(), SizeIs(kPartitions));
}

TEST_F(StateRepairTest, ALossWhileItIsRepairedIsRepairedToo) {
  MakeUpdates(1000, 2000);
  AddWorker(3, 8);
  core_.WorkerLost(2, "gone");
  const auto job = Collect(Update(3000));
  // Up to the first task that does something to the state again.
  while (!workers_.launched().empty() && workers_.launched()[0].root() != "update") {
    Tell(Success(workers_.Take(), ""));
  }
  ASSERT_FALSE(workers_.launched().empty());
  core_.WorkerLost(1, "gone too");
  const std::vector<std::string> steps = SucceedAllSteps();
  EXPECT_THAT(steps, Contains("update 2000 behind 1000: 0 1 2 3"));
  EXPECT_EQ(steps.back(), "update 3000 behind 2000: 0 1 2 3");
  ASSERT_TRUE(job->done());
  EXPECT_TRUE(job->status().ok()) << job->status();
}

// Its tasks for those partitions are held back here: what they read gathers on another worker, and
// is not there yet. So nothing of the update runs on the lost worker, and nothing waits for it.
TEST_F(StateRepairTest, AnUpdateThatHasBegunBeginsAgainWhenItsStateIsLost) {
  core_.WorkerLost(2, "not here yet");
  const RddRef kept = Persisted(Values("kept", kPartitions));
  Collect(kept);
  SucceedAll();
  AddWorker(3, 8);
  MakeUpdates(1000, 1000);

  const RddRef update = Update(2000);
  update->dependencies = {ShuffleOf(kept, kPartitions)};
  const RddRef reader = Narrow("reader", kept);
  reader->dependencies.push_back(update->dependencies[0]);
  const auto read = Collect(reader);
  const auto job = Collect(update);
  for (const LaunchedTask& task : workers_.launched()) ASSERT_EQ(task.worker_id, 1);
  core_.WorkerLost(3, "gone");
  EXPECT_THAT(SucceedAllSteps(), Contains("update 1000 behind -1: 1 3"));
  ASSERT_TRUE(read->done());
  ASSERT_TRUE(job->done());
  EXPECT_TRUE(job->status().ok()) << job->status();
}

// Two attempts at an update that were given up, the first one's answer late: the books then have
// all partitions of its output, and none of the state.
TEST_F(StateRepairTest, WhatGivenUpAttemptsHavePutOutIsNoUpdate) {
  const auto update = [this](int64_t time_ms, int64_t previous_ms) {
    return Stateful("update", Values("values", 1), 2, state_id_, time_ms, previous_ms);
  };
  Collect(update(1000, -1));
  SucceedAll();
  AddWorker(3, 8);
  AddWorker(4, 8);
  const auto job = Collect(Shuffled("sum", update(2000, 1000), 4));
  const LaunchedTask late = workers_.Take("update");
  ASSERT_EQ(late.worker_id, 1);
  core_.WorkerLost(2, "gone");
  Tell(Success(late));
  // The repair, and then half of the update; worker 4 has nothing of it, but a task of the job.
  std::vector<LaunchedTask> unanswered;
  while (!workers_.launched().empty()) {
    LaunchedTask task = workers_.Take();
    const bool is_repair = task.root() == "update" && BatchTimeOf(task) == 1000;
    const bool is_first = task.root() == "collect" || task.request.partition() == 0;
    if (is_repair || !is_first || task.root() == "write") {
      Tell(Success(task));
    } else {
      unanswered.push_back(std::move(task));
    }
  }
  core_.WorkerLost(4, "gone too");
  for (const LaunchedTask& task : unanswered) {
    Tell(AnswerOf(task, proto::TaskStatus::CANCELLED));
  }
  EXPECT_THAT(SucceedAllSteps(), ElementsAre("update 2000 behind 1000: 0 1"));
  ASSERT_TRUE(job->done());
  EXPECT_TRUE(job->status().ok()) << job->status();
}

TEST_F(StateRepairTest, ARepairThatFailsIsTheErrorOfWhatWaitedAndIsTriedAgain) {
  MakeUpdates(1000, 1000);
  core_.WorkerLost(2, "gone");
  const auto job = Collect(Update(2000));
  while (!job->done()) {
    ASSERT_FALSE(workers_.launched().empty());
    const LaunchedTask task = workers_.Take();
    Tell(task.root() == "update" ? Failure(task, "boom") : Success(task, ""));
  }
  EXPECT_EQ(job->status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(job->status().message()),
              HasSubstr("a worker was lost with partitions of its state, which cannot be made "
                        "again"));
  EXPECT_THAT(std::string(job->status().message()), HasSubstr("boom"));
  SucceedAll();

  const auto next = Collect(Update(3000));
  EXPECT_THAT(SucceedAllSteps(), Contains("update 1000 behind -1: 1 3"));
  ASSERT_TRUE(next->done());
  EXPECT_TRUE(next->status().ok()) << next->status();
}

TEST_F(StateRepairTest, AccumulatorsCountNothingTwice) {
  int merged = 0;
  core_.accumulators().Register(7, [&](std::string_view, int64_t) { ++merged; });
  const auto succeed_all = [&] {
    while (!workers_.launched().empty()) {
      proto::ToDriver message = Success(workers_.Take(), "");
      message.mutable_task_status()->add_accumulators()->set_accumulator_id(7);
      Tell(std::move(message));
    }
  };
  Collect(Update(1000));
  succeed_all();
  const int once = merged;
  core_.WorkerLost(2, "gone");
  Collect(Update(2000));
  succeed_all();
  EXPECT_EQ(merged, 2 * once);
  core_.accumulators().Unregister(7);
}

TEST_F(StateRepairTest, AStateThatIsDroppedIsRepairedNoMore) {
  MakeUpdates(1000, 1000);
  core_.WorkerLost(2, "gone");
  const auto job = Collect(Update(2000));
  while (workers_.launched()[0].root() != "update") Tell(Success(workers_.Take(), ""));
  lease_.reset();
  workers_.ClearSent();
  for (int i = 0; i < 2; ++i) Tell(Success(workers_.Take(), ""));
  for (const SentMessage& sent : workers_.sent()) {
    const bool commits = sent.message.has_commit_task() && !sent.message.commit_task().abort();
    EXPECT_FALSE(commits);
  }
  SucceedAll();
  EXPECT_TRUE(job->done());
  core_.DropState(state_id_);  // What waited has begun it anew.
}

}  // namespace
}  // namespace millrace::internal
