#include "driver/state/state_tracker.h"

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

TEST(StateTrackerTest, OneUpdateAtATime) {
  StateTracker states;
  EXPECT_FALSE(states.IsBusy(7));
  states.Begin(7);
  EXPECT_TRUE(states.IsBusy(7));
  states.End(7, /*committed=*/true, 1000);
  EXPECT_FALSE(states.IsBusy(7));
  EXPECT_EQ(states.LastCommitted(7), 1000);
}

TEST(StateTrackerTest, AnUpdateThatWasGivenUpLeavesTheOneBefore) {
  StateTracker states;
  states.Begin(7);
  states.End(7, true, 1000);
  states.Begin(7);
  states.End(7, false, 2000);
  EXPECT_EQ(states.LastCommitted(7), 1000);
  EXPECT_EQ(states.LastCommitted(8), StateTracker::kNever);
}

TEST(StateTrackerTest, PartitionsStayWhereTheyArePut) {
  StateTracker states;
  states.Begin(7);
  states.Place(7, 2, 5);
  EXPECT_EQ(states.WorkerOf(7, 2), 5);
  EXPECT_EQ(states.WorkerOf(7, 0), StateTracker::kUnplaced);
  EXPECT_EQ(states.WorkerOf(8, 0), StateTracker::kUnplaced);
}

TEST(StateTrackerTest, StateIsLostWithItsWorkerOnceItHoldsSomething) {
  StateTracker states;
  states.Begin(7);
  states.Place(7, 0, 5);
  states.Begin(8);
  states.Place(8, 0, 5);
  states.Updated(8, 0, 5, 1000);
  states.End(8, true, 1000);
  states.ForgetWorker(5);
  EXPECT_FALSE(states.IsLost(7)) << "it was never updated";
  EXPECT_EQ(states.WorkerOf(7, 0), StateTracker::kUnplaced);
  EXPECT_TRUE(states.IsLost(8));
}

TEST(StateTrackerTest, NothingIsPlacedOfAStateThatWasDropped) {
  StateTracker states;
  states.Begin(7);
  EXPECT_TRUE(states.Drop(7));
  EXPECT_FALSE(states.IsKnown(7));
  states.Place(7, 0, 5);
  EXPECT_TRUE(states.empty());
}

TEST(StateTrackerTest, WhatEndsAfterItsStateWasDroppedChangesNothing) {
  StateTracker states;
  states.Begin(7);
  EXPECT_TRUE(states.Drop(7));
  EXPECT_FALSE(states.Drop(7));
  states.End(7, true, 1000);
  EXPECT_TRUE(states.empty());
}

}  // namespace
}  // namespace millrace::internal
