#include "driver/receiver/received_block_tracker.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ReceivedBlock Block(int64_t stream_id, int64_t sequence) {
  ReceivedBlock block;
  block.id = {stream_id, sequence};
  return block;
}

std::vector<int64_t> Sequences(const std::vector<ReceivedBlock>& blocks) {
  std::vector<int64_t> sequences;
  for (const ReceivedBlock& block : blocks) sequences.push_back(block.id.sequence);
  return sequences;
}

class ReceivedBlockTrackerTest : public ::testing::Test {
 protected:
  ReceivedBlockTracker tracker_{{0, 1}};
};

TEST_F(ReceivedBlockTrackerTest, GivesEachBlockToTheNextBatchOnly) {
  EXPECT_TRUE(tracker_.AddBlock(Block(0, 1)));
  EXPECT_TRUE(tracker_.AddBlock(Block(0, 2)));
  const BatchBlocks first = tracker_.AllocateBlocksToBatch(Time(1000));
  EXPECT_THAT(Sequences(first.at(0)), ElementsAre(1, 2));
  EXPECT_THAT(first.at(1), IsEmpty()) << "a stream without blocks has an empty list";

  EXPECT_TRUE(tracker_.AddBlock(Block(0, 3)));
  EXPECT_THAT(Sequences(tracker_.AllocateBlocksToBatch(Time(2000)).at(0)), ElementsAre(3));
}

TEST_F(ReceivedBlockTrackerTest, AskingAgainGivesTheSameBlocks) {
  tracker_.AddBlock(Block(1, 5));
  tracker_.AllocateBlocksToBatch(Time(1000));
  tracker_.AddBlock(Block(1, 6));
  EXPECT_THAT(Sequences(tracker_.AllocateBlocksToBatch(Time(1000)).at(1)), ElementsAre(5));
  EXPECT_TRUE(tracker_.has_unallocated_blocks());
}

TEST_F(ReceivedBlockTrackerTest, ABlockReportedAgainIsNotCountedTwice) {
  EXPECT_TRUE(tracker_.AddBlock(Block(0, 1)));
  EXPECT_FALSE(tracker_.AddBlock(Block(0, 1)));
  tracker_.AllocateBlocksToBatch(Time(1000));
  EXPECT_FALSE(tracker_.AddBlock(Block(0, 1))) << "it is in a batch by now";
  EXPECT_FALSE(tracker_.has_unallocated_blocks());
}

TEST_F(ReceivedBlockTrackerTest, ARestoredBatchHasWhatItHadAndNoneOfItIsCountedAgain) {
  tracker_.RestoreBatch(Time(1000), {{0, {Block(0, 1), Block(0, 2)}}, {7, {Block(7, 1)}}});
  tracker_.RestoreBatch(Time(2000), {});
  EXPECT_FALSE(tracker_.AddBlock(Block(0, 2)));
  EXPECT_TRUE(tracker_.AddBlock(Block(0, 3)));
  EXPECT_TRUE(tracker_.IsKnown({0, 1}));
  const BatchBlocks first = tracker_.AllocateBlocksToBatch(Time(1000));
  EXPECT_THAT(Sequences(first.at(0)), ElementsAre(1, 2));
  EXPECT_THAT(first.at(1), IsEmpty());
  EXPECT_FALSE(first.contains(7));
  EXPECT_THAT(tracker_.AllocateBlocksToBatch(Time(2000)).at(0), IsEmpty());
  EXPECT_THAT(Sequences(tracker_.AllocateBlocksToBatch(Time(3000)).at(0)), ElementsAre(3));
}

// As of a start whose first batch could not be noted.
TEST_F(ReceivedBlockTrackerTest, OfAStartThatIsInNoBatchTheFirstBlockIsNewToo) {
  tracker_.RestoreAllocated(0, 0, -1);
  tracker_.RestoreAllocated(1, 0, 1);
  EXPECT_TRUE(tracker_.AddBlock(Block(0, 0)));
  EXPECT_FALSE(tracker_.AddBlock(Block(1, 1)));
  EXPECT_TRUE(tracker_.AddBlock(Block(1, 2)));
}

TEST_F(ReceivedBlockTrackerTest, RefusesBlocksOfUnknownStreams) {
  EXPECT_FALSE(tracker_.AddBlock(Block(7, 1)));
  EXPECT_FALSE(tracker_.has_unallocated_blocks());
}

TEST_F(ReceivedBlockTrackerTest, ForgetsBatchesUpToATime) {
  tracker_.AddBlock(Block(0, 1));
  tracker_.AllocateBlocksToBatch(Time(1000));
  tracker_.AddBlock(Block(0, 2));
  tracker_.AllocateBlocksToBatch(Time(2000));
  const std::vector<BlockRef> forgotten = tracker_.ForgetBatches(Time(1000));
  ASSERT_EQ(forgotten.size(), 1u);
  EXPECT_EQ(forgotten[0].sequence, 1);
  EXPECT_EQ(tracker_.ForgetAll().size(), 1u);
  EXPECT_THAT(tracker_.ForgetAll(), IsEmpty());
}

// The second copy of a block may be reported when the batch of the first one is over.
TEST_F(ReceivedBlockTrackerTest, ABlockThatWasForgottenIsNotNewAgain) {
  EXPECT_TRUE(tracker_.AddBlock(Block(0, 1)));
  EXPECT_TRUE(tracker_.AddBlock(Block(0, 2)));
  EXPECT_TRUE(tracker_.IsKnown({0, 1}));
  tracker_.AllocateBlocksToBatch(Time(1000));
  tracker_.ForgetBatches(Time(1000));
  EXPECT_FALSE(tracker_.IsKnown({0, 1}));
  EXPECT_FALSE(tracker_.AddBlock(Block(0, 1)));
  EXPECT_FALSE(tracker_.AddBlock(Block(0, 2)));
  EXPECT_TRUE(tracker_.AddBlock(Block(0, 3))) << "nobody has heard of this one";
  // Another start of the receiver.
  const int64_t start = int64_t{1} << ReceivedBlockTracker::kStartBits;
  EXPECT_TRUE(tracker_.AddBlock(Block(0, start + 1)));
  EXPECT_TRUE(tracker_.AddBlock(Block(0, 4))) << "of the start before";
}

}  // namespace
}  // namespace millrace::internal
