#include "driver/task/pending_tasks.h"

#include <set>

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

class PendingTasksTest : public ::testing::Test {
 protected:
  int Take(int64_t worker_id) {
    const int index = pending_.Take(worker_id, [this](int i) { return waiting_.contains(i); });
    waiting_.erase(index);
    return index;
  }

  PendingTasks pending_;
  std::set<int> waiting_{0, 1, 2, 3};
};

TEST_F(PendingTasksTest, TasksGoInTheirOrder) {
  pending_.AddAnywhere(0);
  pending_.AddAnywhere(1);
  EXPECT_EQ(Take(1), 0);
  EXPECT_EQ(Take(2), 1);
  EXPECT_EQ(Take(1), -1);
}

TEST_F(PendingTasksTest, AWorkerTakesWhatIsForItFirst) {
  pending_.AddAnywhere(0);
  pending_.AddFor({2, 3}, 1);
  EXPECT_TRUE(pending_.HasTasksFor(2));
  EXPECT_EQ(Take(2), 1);
  EXPECT_EQ(Take(3), 0) << "the other is gone from this queue, too";
}

TEST_F(PendingTasksTest, WhatIsForOthersIsNotTaken) {
  pending_.AddFor({2}, 0);
  EXPECT_EQ(Take(1), -1);
  EXPECT_EQ(Take(2), 0);
}

TEST_F(PendingTasksTest, RetriesGoElsewhereUntilTheyMayGoBack) {
  pending_.AddRetry(0, /*avoid=*/1);
  EXPECT_EQ(Take(1), -1);
  pending_.AddRetry(1, /*avoid=*/1);
  EXPECT_EQ(Take(2), 0);
  pending_.RelaxRetries();
  EXPECT_EQ(Take(1), 1);
}

TEST_F(PendingTasksTest, AWorkerMayTakeItsOwnTasksAlone) {
  const auto take_own = [this](int64_t worker_id) {
    const int index = pending_.TakeOwn(worker_id, [this](int i) { return waiting_.contains(i); });
    waiting_.erase(index);
    return index;
  };
  pending_.AddAnywhere(0);
  pending_.AddRetry(1, /*avoid=*/2);
  const std::vector<int64_t> workers{1};
  pending_.AddFor(workers, 2);
  EXPECT_EQ(take_own(1), 2);
  EXPECT_EQ(take_own(1), -1);
  EXPECT_EQ(take_own(2), -1);
  const auto is_waiting = [this](int i) { return waiting_.contains(i); };
  EXPECT_EQ(pending_.TakeAvoiding(1, is_waiting), -1);
  EXPECT_EQ(pending_.TakeAvoiding(2, is_waiting), 1);
}

}  // namespace
}  // namespace millrace::internal
