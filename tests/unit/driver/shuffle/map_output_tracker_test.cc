#include "driver/shuffle/map_output_tracker.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(MapOutputTrackerTest, IsCompleteWhenEveryMapPartitionIsDone) {
  MapOutputTracker tracker;
  tracker.Register(7, /*map_count=*/2, /*reduce_count=*/3);
  EXPECT_FALSE(tracker.IsComplete(7));
  EXPECT_TRUE(tracker.MapDone(7, 1));
  EXPECT_THAT(tracker.MissingMaps(7), ElementsAre(0));
  EXPECT_FALSE(tracker.MapDone(7, 1)) << "a second time does not count";
  EXPECT_TRUE(tracker.MapDone(7, 0));
  EXPECT_TRUE(tracker.IsComplete(7));
  EXPECT_FALSE(tracker.IsComplete(8)) << "unknown";
}

TEST(MapOutputTrackerTest, WithoutMapPartitionsItIsCompleteFromTheStart) {
  MapOutputTracker tracker;
  tracker.Register(7, 0, 3);
  EXPECT_TRUE(tracker.IsComplete(7));
}

TEST(MapOutputTrackerTest, DropSaysWhoGathersSomething) {
  MapOutputTracker tracker;
  tracker.Register(7, 1, 4);
  tracker.PlaceReduce(7, 0, 2);
  tracker.PlaceReduce(7, 1, 1);
  tracker.PlaceReduce(7, 3, 2);
  EXPECT_EQ(tracker.ReduceWorker(7, 3), 2);
  EXPECT_EQ(tracker.ReduceWorker(7, 2), MapOutputTracker::kUnplaced);
  EXPECT_THAT(tracker.Drop(7), ElementsAre(1, 2));
  EXPECT_THAT(tracker.Drop(7), IsEmpty());
  EXPECT_TRUE(tracker.empty());
}

TEST(MapOutputTrackerTest, ALostWorkerTakesItsReducePartitionsAndAllMapOutputs) {
  MapOutputTracker tracker;
  tracker.Register(7, 2, 2);
  tracker.Register(8, 1, 1);
  for (const int reduce : {0, 1}) tracker.PlaceReduce(7, reduce, 1);
  tracker.PlaceReduce(8, 0, 2);
  for (const int map : {0, 1}) tracker.MapDone(7, map);
  tracker.MapDone(8, 0);
  EXPECT_THAT(tracker.ForgetWorker(1), ElementsAre(7));
  EXPECT_THAT(tracker.MissingMaps(7), ElementsAre(0, 1));
  EXPECT_TRUE(tracker.IsComplete(8));
  tracker.PlaceReduce(7, 0, 2);
  EXPECT_FALSE(tracker.MapDone(7, 0)) << "it has counted before it was lost";
}

}  // namespace
}  // namespace millrace::internal
