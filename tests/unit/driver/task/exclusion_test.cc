// Workers on which tasks keep failing, as jobs see them.
#include <map>
#include <set>

#include "driver/task/task_scheduler.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/driver_fixture.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kTimeoutMicros = 60'000'000;

class ExclusionTest : public DriverFixture {
 protected:
  explicit ExclusionTest(bool is_enabled = true, int max_failed_tasks = 2)
      : DriverFixture(Options(is_enabled, max_failed_tasks)) {}

  static DriverOptions Options(bool is_enabled, int max_failed_tasks) {
    DriverOptions options;
    options.tasks.exclusion.is_enabled = is_enabled;
    options.tasks.exclusion.max_failed_tasks = max_failed_tasks;
    return options;
  }

  // One that others can fetch from.
  void AddWorkerAt(const std::string& host, int64_t id, int slots = 1) {
    proto::ToDriver message;
    message.set_worker_id(id);
    message.mutable_hello()->set_host(host);
    message.mutable_hello()->set_task_slots(static_cast<uint32_t>(slots));
    message.mutable_hello()->set_peer_address(host + ":" + std::to_string(id));
    Tell(std::move(message));
  }

  // Tasks fail on those and succeed on others. Returns where tasks ran.
  std::set<int64_t> Answer(const std::set<int64_t>& bad) {
    std::set<int64_t> seen;
    while (!workers_.launched().empty()) {
      const LaunchedTask task = workers_.Take();
      seen.insert(task.worker_id);
      Tell(bad.contains(task.worker_id) ? Failure(task, "no space left on device") : Success(task));
    }
    return seen;
  }
  std::set<int64_t> RunJob(const std::set<int64_t>& bad, int tasks = 8) {
    const auto job = Collect(Values("values", tasks));
    const std::set<int64_t> seen = Answer(bad);
    EXPECT_TRUE(job->done() && job->status().ok());
    return seen;
  }
};

TEST_F(ExclusionTest, AWorkerOnWhichTasksFailAloneGetsNoneForAWhile) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  EXPECT_THAT(RunJob({1}), ElementsAre(1, 2));
  EXPECT_THAT(RunJob({1}), ElementsAre(2));
  env_.Advance(kTimeoutMicros - 1);
  EXPECT_THAT(RunJob({1}), ElementsAre(2));
  env_.Advance(1);
  EXPECT_THAT(RunJob({}), ElementsAre(1, 2));
  EXPECT_THAT(RunJob({}), ElementsAre(1, 2)) << "it begins with a clean sheet";
}

TEST_F(ExclusionTest, ItTakesWhatWaitsWhenItComesBack) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  RunJob({1});
  const auto job = Collect(Values("values", 2));
  const LaunchedTask first = workers_.Take();
  EXPECT_EQ(first.worker_id, 2);
  EXPECT_THAT(workers_.launched(), IsEmpty());
  env_.Advance(kTimeoutMicros);
  EXPECT_EQ(workers_.launched().at(0).worker_id, 1);
  Tell(Success(first));
  SucceedAll();
  EXPECT_TRUE(job->done());
}

TEST_F(ExclusionTest, AFunctionThatFailsEverywhereExcludesNobody) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  const auto job = Collect(Values("values", 8));
  Answer({1, 2});
  EXPECT_EQ(job->status().message().substr(0, 5), "no sp");
  EXPECT_THAT(RunJob({}), ElementsAre(1, 2));
}

TEST_F(ExclusionTest, AFunctionThatFailsNowAndThenOnEveryWorkerExcludesNobody) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  for (int round = 0; round < 20; ++round) {
    const auto job = Collect(Values("values", 2));
    // The first attempts fail, on both, and the second ones succeed, each on the other worker.
    for (int i = 0; i < 2; ++i) Tell(Failure(workers_.Take(), "flaky"));
    std::set<int64_t> seen;
    for (const LaunchedTask& task : workers_.launched()) seen.insert(task.worker_id);
    EXPECT_THAT(seen, ElementsAre(1, 2)) << round;
    SucceedAll();
    EXPECT_TRUE(job->done());
  }
}

TEST_F(ExclusionTest, TheLastWorkerIsNeverExcluded) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  RunJob({1});
  EXPECT_THAT(RunJob({1}), ElementsAre(2));
  const auto job = Collect(Values("values", 2));
  core_.WorkerLost(2, "it crashed");
  Answer({});
  EXPECT_TRUE(job->done() && job->status().ok());
}

TEST_F(ExclusionTest, WhatFailsOnTheLastUsableWorkerIsTriedOnAnExcludedOne) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  RunJob({1});
  EXPECT_THAT(RunJob({2}, 1), ElementsAre(1, 2));
}

TEST_F(ExclusionTest, AHostOfWhichTwoWorkersAreExcludedGetsNoTasks) {
  AddWorkerAt("bad", 1);
  AddWorkerAt("bad", 2);
  AddWorkerAt("good", 3);
  AddWorkerAt("good", 4);
  EXPECT_THAT(RunJob({1, 2}, 12), ElementsAre(1, 2, 3, 4));
  AddWorkerAt("bad", 5);
  EXPECT_THAT(RunJob({}), ElementsAre(3, 4));
  env_.Advance(kTimeoutMicros);
  EXPECT_THAT(RunJob({}), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(ExclusionTest, OneHostAloneStays) {
  AddWorkerAt("only", 1);
  AddWorkerAt("only", 2);
  AddWorkerAt("only", 3);
  EXPECT_THAT(RunJob({1, 2}, 12), ElementsAre(1, 2, 3));
  EXPECT_THAT(RunJob({}), ElementsAre(3));
}

TEST_F(ExclusionTest, ANewShuffleGathersOnTheOthers) {
  AddWorker(1, 2);
  AddWorker(2, 2);
  RunJob({1});
  const auto job = Collect(Shuffled("sum", Values("values", 2), 4));
  EXPECT_THAT(Answer({}), ElementsAre(2));
  EXPECT_TRUE(job->done());
}

TEST_F(ExclusionTest, StateIsUpdatedWhereItIs) {
  AddWorker(1, 2);
  AddWorker(2, 2);
  const RddRef first = Stateful("state", Values("a", 2), 2, 7, 1000, -1);
  Collect(first, 1000);
  SucceedAll();
  RunJob({1});
  EXPECT_THAT(RunJob({}), ElementsAre(2));
  const RddRef second = Stateful("state", Values("b", 2), 2, 7, 2000, 1000);
  const auto job = Collect(second, 2000);
  EXPECT_THAT(Answer({}), ElementsAre(1, 2));
  EXPECT_TRUE(job->done() && job->status().ok());
  core_.DropState(7);
}

TEST_F(ExclusionTest, ATaskThatFailsWhereItsInputsAreFetchesThemFromAnotherWorker) {
  AddWorkerAt("a", 1, 2);
  AddWorkerAt("b", 2, 2);
  const auto job = Collect(Shuffled("sum", Values("values", 2), 2));
  for (int i = 0; i < 2; ++i) Tell(Success(workers_.Take("write")));
  const LaunchedTask failing = workers_.Take();
  Tell(Failure(failing, "boom"));
  const LaunchedTask retry = workers_.launched().back();
  ASSERT_EQ(retry.request.partition(), failing.request.partition());
  EXPECT_NE(retry.worker_id, failing.worker_id);
  EXPECT_EQ(retry.request.bindings(0).shuffle().holder(), failing.worker_id);
  SucceedAll();
  EXPECT_TRUE(job->done() && job->status().ok());
}

// Map outputs go from worker to worker: what reads them may end before the driver knows of them.
TEST_F(ExclusionTest, ATaskThatFailsBeforeItsInputsAreKnownIsTriedAgainWhenTheyAre) {
  AddWorkerAt("a", 1, 2);
  AddWorkerAt("b", 2, 2);
  const auto job = Collect(Shuffled("sum", Values("values", 1), 2));
  const LaunchedTask map = workers_.Take("write");
  const LaunchedTask failing = workers_.Take();
  Tell(Failure(failing, "boom"));
  EXPECT_EQ(workers_.launched().size(), 1u) << "the other task alone";
  Tell(Success(map));
  const LaunchedTask retry = workers_.launched().back();
  ASSERT_EQ(retry.request.partition(), failing.request.partition());
  EXPECT_NE(retry.worker_id, failing.worker_id);
  SucceedAll();
  EXPECT_TRUE(job->done() && job->status().ok());
}

// They were placed before it was excluded.
TEST_F(ExclusionTest, TasksThatWaitForAnExcludedWorkerRunElsewhereIfTheyCan) {
  AddWorkerAt("a", 1);
  AddWorkerAt("b", 2);
  const RddRef kept = Persisted(Values("values", 4));
  Collect(kept);
  SucceedAll();
  RunJob({1}, 2);
  const auto failing = Collect(Values("failing", 2));
  const auto job = Collect(Narrow("map", kept));
  // The second failure there alone.
  EXPECT_THAT(Answer({1}), ElementsAre(1, 2));
  EXPECT_TRUE(failing->done() && job->done() && job->status().ok());
  const auto again = Collect(Narrow("map", kept));
  EXPECT_THAT(Answer({1}), ElementsAre(2));
  EXPECT_TRUE(again->done() && again->status().ok());
}

// Of four tasks that end on the bad worker in each job one has failed there.
class PatientExclusionTest : public ExclusionTest {
 protected:
  PatientExclusionTest() : ExclusionTest(/*is_enabled=*/true, /*max_failed_tasks=*/20) {}
};

TEST_F(PatientExclusionTest, FewFailuresAmongManySuccessesExcludeNobody) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  for (int round = 0; round < 20; ++round) {
    const auto job = Collect(Values("values", 8));
    bool has_failed = false;
    while (!workers_.launched().empty()) {
      const LaunchedTask task = workers_.Take();
      const bool fails = task.worker_id == 1 && !std::exchange(has_failed, true);
      Tell(fails ? Failure(task, "boom") : Success(task));
    }
    EXPECT_TRUE(job->done()) << round;
    EXPECT_TRUE(has_failed) << round << ": it still gets tasks";
  }
}

class NoExclusionTest : public ExclusionTest {
 protected:
  NoExclusionTest() : ExclusionTest(/*is_enabled=*/false) {}
};

TEST_F(NoExclusionTest, NobodyIsExcluded) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  for (int round = 0; round < 5; ++round) {
    EXPECT_THAT(RunJob({1}), ElementsAre(1, 2));
    env_.Advance(2'000'000);
  }
}

}  // namespace
}  // namespace millrace::internal
