#include "driver/receiver/receiver_placement.h"

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

TEST(PlaceReceiverTest, TakesTheWorkerWithTheFewestReceivers) {
  EXPECT_EQ(PlaceReceiver({.workers = {{1, "a", 2}, {2, "b", 1}, {3, "c", 1}}}), 2);
}

TEST(PlaceReceiverTest, PrefersTheWantedHostEvenWhenItIsBusier) {
  EXPECT_EQ(
      PlaceReceiver({.workers = {{1, "a", 0}, {2, "b", 5}, {3, "b", 4}}, .preferred_host = "b"}),
      3);
}

TEST(PlaceReceiverTest, TakesAnotherHostWhenTheWantedOneIsUnknown) {
  EXPECT_EQ(PlaceReceiver({.workers = {{1, "a", 0}}, .preferred_host = "b"}), 1);
}

TEST(PlaceReceiverTest, AvoidsWhereItFailed) {
  EXPECT_EQ(PlaceReceiver({.workers = {{1, "a", 0}, {2, "b", 3}}, .failed_worker = 1}), 2);
  EXPECT_EQ(PlaceReceiver({.workers = {{1, "a", 0}}, .failed_worker = 1}), 1)
      << "the only one is better than none";
}

TEST(PlaceReceiverTest, HasNoAnswerWithoutWorkers) { EXPECT_EQ(PlaceReceiver({}), std::nullopt); }

}  // namespace
}  // namespace millrace::internal
