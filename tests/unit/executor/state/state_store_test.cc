#include "executor/state/state_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <stdexcept>
#include <string>

namespace millrace::internal {
namespace {

using ::testing::HasSubstr;

// A number: committed, and as the holder sees it.
class Number : public StatePartition {
 public:
  void Commit() override { committed = value; }
  void Abort() override { value = committed; }
  size_t memory_bytes() const override { return static_cast<size_t>(committed); }

  int value = 0;
  int committed = 0;
};

class StateStoreTest : public ::testing::Test {
 protected:
  static std::unique_ptr<StatePartition> Make() { return std::make_unique<Number>(); }

  // Adds 1 to the state on behalf of a task; the message of the error, if any.
  std::string Add(int64_t task_id, int64_t batch_time_ms, int64_t previous_time_ms) {
    auto partition = store_.Acquire({.key = {5, 2},
                                     .task_id = task_id,
                                     .batch_time_ms = batch_time_ms,
                                     .previous_time_ms = previous_time_ms},
                                    Make);
    if (!partition.ok()) return partition.status().ToString();
    ++static_cast<Number*>(*partition)->value;
    value_ = static_cast<Number*>(*partition)->value;
    return "";
  }

  StateStore store_;
  int value_ = 0;
};

TEST_F(StateStoreTest, UpdatesBuildOnCommittedOnes) {
  EXPECT_EQ(Add(1, 1000, -1), "");
  EXPECT_TRUE(store_.Holds(1));
  store_.Commit(1);
  EXPECT_FALSE(store_.Holds(1));
  EXPECT_EQ(Add(2, 2000, 1000), "");
  store_.Commit(2);
  EXPECT_EQ(value_, 2);
  EXPECT_EQ(store_.memory_bytes(), 2u);
}

TEST_F(StateStoreTest, AnAbortedUpdateMayRunAgain) {
  EXPECT_EQ(Add(1, 1000, -1), "");
  store_.Abort(1);
  EXPECT_EQ(store_.partition_count(), 0u);
  EXPECT_EQ(Add(2, 1000, -1), "");
  store_.Commit(2);
  EXPECT_EQ(Add(3, 2000, 1000), "");
  store_.Abort(3);
  EXPECT_EQ(Add(4, 2000, 1000), "");
  EXPECT_EQ(value_, 2);
}

TEST_F(StateStoreTest, TheSameTaskMayAskAgain) {
  EXPECT_EQ(Add(1, 1000, -1), "");
  EXPECT_EQ(Add(1, 1000, -1), "");
  EXPECT_EQ(value_, 2);
}

TEST_F(StateStoreTest, OneAttemptAtATimeHoldsAPartition) {
  EXPECT_EQ(Add(1, 1000, -1), "");
  EXPECT_EQ(
      Add(2, 1000, -1),
      "FAILED_PRECONDITION: partition 2 of state 5: the update of batch 1000 ms found it held "
      "by task 1 for batch 1000 ms, which was neither committed nor aborted");
  store_.Abort(1);
  EXPECT_EQ(Add(2, 1000, -1), "");
}

TEST_F(StateStoreTest, StaleUpdatesAreRefused) {
  EXPECT_EQ(Add(1, 2000, -1), "");
  store_.Commit(1);
  EXPECT_THAT(Add(2, 2000, -1), HasSubstr("is stale: the update of batch 2000 ms is committed"));
  EXPECT_THAT(Add(3, 1000, -1), HasSubstr("is stale"));
}

TEST_F(StateStoreTest, AnUpdateThatIsNotHereIsNotInvented) {
  EXPECT_THAT(Add(1, 2000, 1000), HasSubstr("DATA_LOSS"));
  EXPECT_THAT(Add(1, 2000, 1000),
              HasSubstr("builds on batch 1000 ms, but this worker has no update of it"));
  EXPECT_EQ(Add(2, 1000, -1), "");
  store_.Commit(2);
  EXPECT_THAT(Add(3, 3000, 2000), HasSubstr("but this worker has that of batch 1000 ms"));
}

TEST_F(StateStoreTest, StartingAnewReplacesWhatWasThereOnlyOnCommit) {
  EXPECT_EQ(Add(1, 1000, -1), "");
  store_.Commit(1);
  EXPECT_EQ(Add(2, 2000, 1000), "");
  store_.Commit(2);
  EXPECT_EQ(value_, 2);
  EXPECT_EQ(Add(3, 3000, -1), "");
  EXPECT_EQ(value_, 1);
  store_.Abort(3);
  EXPECT_EQ(Add(4, 3000, 2000), "");
  EXPECT_EQ(value_, 3);
  store_.Abort(4);
  EXPECT_EQ(Add(5, 3000, -1), "");
  store_.Commit(5);
  EXPECT_EQ(Add(6, 4000, 3000), "");
  EXPECT_EQ(value_, 2);
}

TEST_F(StateStoreTest, ADropWaitsForTheHolder) {
  EXPECT_EQ(Add(1, 1000, -1), "");
  store_.Drop(5);
  EXPECT_EQ(store_.partition_count(), 1u);
  store_.Commit(1);
  EXPECT_EQ(store_.partition_count(), 0u);
  EXPECT_EQ(Add(2, 2000, -1), "");
  store_.Commit(2);
  store_.Drop(4);
  EXPECT_EQ(store_.partition_count(), 1u);
  store_.Drop(5);
  EXPECT_EQ(store_.partition_count(), 0u);
}

TEST_F(StateStoreTest, TheStateWithTheLastNumberIsDroppedToo) {
  const StateKey last{std::numeric_limits<int64_t>::max(), 0};
  ASSERT_TRUE(store_.Acquire({.key = last, .task_id = 1, .batch_time_ms = 1}, Make).ok());
  store_.Commit(1);
  EXPECT_EQ(store_.partition_count(), 1u);
  store_.Drop(last.state_id);
  EXPECT_EQ(store_.partition_count(), 0u);
}

TEST_F(StateStoreTest, JudgingATaskThatHoldsNothingIsFine) {
  store_.Commit(77);
  store_.Abort(77);
  EXPECT_EQ(store_.partition_count(), 0u);
}

TEST_F(StateStoreTest, AMakerThatThrowsLeavesNothingAfterTheAbort) {
  EXPECT_THROW(
      store_
          .Acquire({.key = {1, 1}, .task_id = 9, .batch_time_ms = 1},
                   []() -> std::unique_ptr<StatePartition> { throw std::runtime_error("no"); })
          .IgnoreError(),
      std::runtime_error);
  store_.Abort(9);
  EXPECT_EQ(store_.partition_count(), 0u);
}

}  // namespace
}  // namespace millrace::internal
