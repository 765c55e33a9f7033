// Second attempts at slow tasks, as jobs see them.
#include <string>

#include "driver/task/task_scheduler.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/driver_fixture.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SpeculationTest : public DriverFixture {
 protected:
  explicit SpeculationTest(bool is_enabled = true)
      : DriverFixture([is_enabled] {
          DriverOptions options;
          options.tasks.speculation.is_enabled = is_enabled;
          return options;
        }()) {}

  void AddWorkerWithPeers(int64_t id, int slots) {
    proto::ToDriver message;
    message.set_worker_id(id);
    message.mutable_hello()->set_host("host" + std::to_string(id));
    message.mutable_hello()->set_task_slots(static_cast<uint32_t>(slots));
    message.mutable_hello()->set_peer_address("host:" + std::to_string(id));
    Tell(std::move(message));
  }

  // All launched tasks but the last one succeed after 10 ms.
  LaunchedTask SucceedAllButOne() {
    env_.Advance(10'000);
    while (workers_.launched().size() > 1) Tell(Success(workers_.Take(), "first"));
    return workers_.Take();
  }
  // Four tasks on two workers, of which one is slow.
  LaunchedTask SlowTaskOf(const RddRef& rdd) {
    AddWorker(1, 2);
    AddWorker(2, 2);
    job_ = Collect(rdd);
    return SucceedAllButOne();
  }
  std::vector<int64_t> Cancelled() {
    std::vector<int64_t> ids;
    for (const SentMessage& sent : workers_.sent()) {
      if (sent.message.has_cancel_task()) ids.push_back(sent.message.cancel_task().task_id());
    }
    return ids;
  }

  std::shared_ptr<JobWatch> job_;
};

TEST_F(SpeculationTest, ASlowTaskRunsASecondTimeElsewhere) {
  const LaunchedTask slow = SlowTaskOf(Values("values", 4));
  env_.Advance(39'999);
  EXPECT_THAT(workers_.launched(), IsEmpty());
  env_.Advance(1);
  ASSERT_THAT(workers_.launched(), SizeIs(1));
  const LaunchedTask second = workers_.Take();
  EXPECT_EQ(second.request.partition(), slow.request.partition());
  EXPECT_NE(second.worker_id, slow.worker_id);
  EXPECT_EQ(second.request.attempt(), 1);
  Tell(Success(second, "second"));
  EXPECT_TRUE(job_->done());
  EXPECT_EQ(job_->results()[slow.request.partition()], "second");
  EXPECT_THAT(Cancelled(), ElementsAre(slow.id()));
  EXPECT_FALSE(core_.idle()) << "the slow one holds its slot";
  Tell(AnswerOf(slow, proto::TaskStatus::CANCELLED));
}

TEST_F(SpeculationTest, TheFirstSuccessCountsAndNoOther) {
  std::string merged;
  core_.accumulators().Register(7, [&](std::string_view update, int64_t) { merged += update; });
  const LaunchedTask slow = SlowTaskOf(Values("values", 4));
  env_.Advance(40'000);
  const LaunchedTask second = workers_.Take();
  const auto answer = [&](const LaunchedTask& task, const char* update) {
    proto::ToDriver message = Success(task, update);
    message.mutable_task_status()->add_accumulators()->set_accumulator_id(7);
    message.mutable_task_status()->mutable_accumulators(0)->set_value(update);
    Tell(std::move(message));
  };
  answer(slow, "a");
  EXPECT_EQ(job_->results()[slow.request.partition()], "a");
  EXPECT_THAT(Cancelled(), ElementsAre(second.id()));
  answer(second, "b");
  EXPECT_EQ(merged, "a");
}

TEST_F(SpeculationTest, OfAnOutputOneAttemptIsCommitted) {
  AddWorker(1, 2);
  AddWorker(2, 2);
  JobSpec spec = Collecting(Values("values", 4));
  spec.root = Op("save", BindingKind::kOutput);
  spec.output_path = "/out";
  const auto job = Submit(spec);
  const LaunchedTask slow = SucceedAllButOne();
  env_.Advance(40'000);
  const LaunchedTask second = workers_.Take();
  workers_.ClearSent();
  Tell(Success(second));
  Tell(Success(slow));
  std::vector<std::pair<int64_t, bool>> verdicts;
  for (const SentMessage& sent : workers_.sent()) {
    if (!sent.message.has_commit_task()) continue;
    const proto::CommitTask& verdict = sent.message.commit_task();
    verdicts.emplace_back(verdict.task_id(), !verdict.abort());
  }
  EXPECT_THAT(verdicts, ElementsAre(std::pair(second.id(), true), std::pair(slow.id(), false)));
  EXPECT_TRUE(job->done() && job->status().ok());
}

TEST_F(SpeculationTest, ATaskHasNoThirdAttemptBesideTwo) {
  const LaunchedTask slow = SlowTaskOf(Values("values", 4));
  env_.Advance(10'000'000);
  ASSERT_THAT(workers_.launched(), SizeIs(1));
  const LaunchedTask second = workers_.Take();
  Tell(Failure(second, "boom"));
  env_.Advance(10'000'000);
  EXPECT_THAT(workers_.launched(), IsEmpty());
  Tell(Success(slow));
  EXPECT_TRUE(job_->done() && job_->status().ok());
}

TEST_F(SpeculationTest, WhenTheFirstAttemptFailsTheSecondGoesOn) {
  const LaunchedTask slow = SlowTaskOf(Values("values", 4));
  env_.Advance(40'000);
  const LaunchedTask second = workers_.Take();
  Tell(Failure(slow, "boom"));
  EXPECT_THAT(workers_.launched(), IsEmpty());
  Tell(Failure(second, "boom"));
  ASSERT_THAT(workers_.launched(), SizeIs(1)) << "now it is tried again";
  // That one may have a second attempt of its own.
  const LaunchedTask third = workers_.Take();
  env_.Advance(60'000);
  ASSERT_THAT(workers_.launched(), SizeIs(1));
  Tell(Success(workers_.Take()));
  Tell(AnswerOf(third, proto::TaskStatus::CANCELLED));
  EXPECT_TRUE(job_->done() && job_->status().ok());
}

TEST_F(SpeculationTest, BothAttemptsCountAsFailures) {
  const LaunchedTask slow = SlowTaskOf(Values("values", 4));
  env_.Advance(40'000);
  const LaunchedTask second = workers_.Take();
  Tell(Failure(slow, "boom"));
  Tell(Failure(second, "boom"));
  Tell(Failure(workers_.Take(), "boom"));
  Tell(Failure(workers_.Take(), "boom"));
  EXPECT_TRUE(job_->done() && !job_->status().ok());
}

TEST_F(SpeculationTest, ACancelledJobCancelsBothAttempts) {
  const LaunchedTask slow = SlowTaskOf(Values("values", 4));
  env_.Advance(40'000);
  const LaunchedTask second = workers_.Take();
  core_.Stop();
  EXPECT_THAT(Cancelled(), ElementsAre(slow.id(), second.id()));
  Tell(AnswerOf(slow, proto::TaskStatus::CANCELLED));
  Tell(AnswerOf(second, proto::TaskStatus::CANCELLED));
}

TEST_F(SpeculationTest, TheLossOfAWorkerWithOneAttemptHarmsNobody) {
  const LaunchedTask slow = SlowTaskOf(Values("values", 4));
  env_.Advance(40'000);
  const LaunchedTask second = workers_.Take();
  core_.WorkerLost(slow.worker_id, "it crashed");
  Tell(AnswerOf(second, proto::TaskStatus::CANCELLED));
  SucceedAll();
  EXPECT_TRUE(job_->done() && job_->status().ok());
}

TEST_F(SpeculationTest, ItTakesNoSlotForWhichAFirstAttemptWaits) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  const auto job = Collect(Values("values", 4));
  const LaunchedTask slow = workers_.Take();
  const auto other = Collect(Values("other", 3));
  for (int i = 0; i < 3; ++i) Tell(Success(workers_.Take()));
  for (int i = 0; i < 3; ++i) {
    env_.Advance(100'000);
    ASSERT_THAT(workers_.launched(), SizeIs(1));
    const LaunchedTask task = workers_.Take();
    EXPECT_EQ(task.plan->nodes(0).operator_name(), "other");
    Tell(Success(task));
  }
  EXPECT_TRUE(other->done());
  ASSERT_THAT(workers_.launched(), SizeIs(1));
  EXPECT_EQ(workers_.launched()[0].request.partition(), slow.request.partition());
  SucceedAll();
  Tell(AnswerOf(slow, proto::TaskStatus::CANCELLED));
  EXPECT_TRUE(job->done());
}

TEST_F(SpeculationTest, StateIsUpdatedByOneAttempt) {
  AddWorkerWithPeers(1, 4);
  AddWorkerWithPeers(2, 4);
  const RddRef state = Stateful("state", Values("a", 1), 4, 7, 1000, -1);
  const auto job = Collect(state, 1000);
  Tell(Success(workers_.Take("write")));
  const LaunchedTask slow = SucceedAllButOne();
  env_.Advance(10'000'000);
  EXPECT_THAT(workers_.launched(), IsEmpty());
  Tell(Success(slow));
  SucceedAll();
  EXPECT_TRUE(job->done());
  core_.DropState(7);
}

TEST_F(SpeculationTest, WhatReadsAShuffleFetchesItForTheSecondAttempt) {
  AddWorkerWithPeers(1, 4);
  AddWorkerWithPeers(2, 4);
  const auto job = Collect(Shuffled("sum", Values("values", 1), 4));
  Tell(Success(workers_.Take("write")));
  const LaunchedTask slow = SucceedAllButOne();
  env_.Advance(40'000);
  ASSERT_THAT(workers_.launched(), SizeIs(1));
  EXPECT_EQ(workers_.launched()[0].request.bindings(0).shuffle().holder(), slow.worker_id);
  SucceedAll();
  Tell(AnswerOf(slow, proto::TaskStatus::CANCELLED));
  EXPECT_TRUE(job->done());
}

TEST_F(SpeculationTest, OfAMapTaskTheFirstOutputCounts) {
  std::string merged;
  core_.accumulators().Register(7, [&](std::string_view update, int64_t) { merged += update; });
  AddWorker(1, 2);
  AddWorker(2, 2);
  const auto job = Collect(Shuffled("sum", Values("values", 4), 1));
  env_.Advance(10'000);
  for (int i = 0; i < 3; ++i) Tell(Success(workers_.Take("write")));
  const LaunchedTask slow = workers_.Take("write");
  env_.Advance(40'000);
  const LaunchedTask second = workers_.Take("write");
  ASSERT_NE(second.plan, nullptr);
  for (const LaunchedTask& task : {second, slow}) {
    proto::ToDriver message = Success(task);
    message.mutable_task_status()->add_accumulators()->set_accumulator_id(7);
    message.mutable_task_status()->mutable_accumulators(0)->set_value("x");
    Tell(std::move(message));
  }
  EXPECT_EQ(merged, "x");
  SucceedAll();
  EXPECT_TRUE(job->done());
}

class NoSpeculationTest : public SpeculationTest {
 protected:
  NoSpeculationTest() : SpeculationTest(/*is_enabled=*/false) {}
};

TEST_F(NoSpeculationTest, ASlowTaskRunsOnce) {
  const LaunchedTask slow = SlowTaskOf(Values("values", 4));
  EXPECT_EQ(env_.timer_count(), 0u);
  env_.Advance(10'000'000);
  EXPECT_THAT(workers_.launched(), IsEmpty());
  Tell(Success(slow));
  EXPECT_TRUE(job_->done());
}

}  // namespace
}  // namespace millrace::internal
