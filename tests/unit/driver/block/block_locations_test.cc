#include "driver/block/block_locations.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr BlockRef kBlock{3, 17};

TEST(BlockLocationsTest, KnowsEveryHolderUntilItIsDropped) {
  BlockLocations blocks;
  blocks.Add(kBlock, 1);
  blocks.Add(kBlock, 2);
  blocks.Add(kBlock, 1);
  EXPECT_THAT(blocks.HoldersOf(kBlock), ElementsAre(1, 2));
  EXPECT_THAT(blocks.HoldersOf({3, 18}), IsEmpty());
  EXPECT_THAT(blocks.Drop(kBlock), ElementsAre(1, 2));
  EXPECT_THAT(blocks.Drop(kBlock), IsEmpty());
  EXPECT_TRUE(blocks.empty());
}

TEST(BlockLocationsTest, ABlockWithoutHoldersIsLost) {
  BlockLocations blocks;
  blocks.Add(kBlock, 1);
  blocks.Add(kBlock, 2);
  blocks.Remove(kBlock, 1);
  blocks.ForgetWorker(2);
  EXPECT_THAT(blocks.HoldersOf(kBlock), IsEmpty());
  EXPECT_FALSE(blocks.empty()) << "its batch may still want it";
}

TEST(BlockLocationsTest, ABlockThatIsLoggedIsNotLostWithItsHolder) {
  BlockLocations blocks;
  blocks.Add(kBlock, 1);
  blocks.NoteLogged(kBlock);
  blocks.Add({3, 18}, 1);
  EXPECT_EQ(blocks.ForgetWorker(1), 1);
  EXPECT_TRUE(blocks.IsKnown(kBlock));
  blocks.Drop(kBlock);
  blocks.Drop({3, 18});
  // One that nobody has held.
  blocks.NoteLogged(kBlock);
  EXPECT_TRUE(blocks.IsKnown(kBlock));
  EXPECT_THAT(blocks.HoldersOf(kBlock), IsEmpty());
  EXPECT_THAT(blocks.Drop(kBlock), IsEmpty());
  EXPECT_TRUE(blocks.empty());
}

TEST(BlockLocationsTest, BlocksHaveANameForPeople) {
  EXPECT_EQ(ToString(kBlock), "block 17 of stream 3");
}

}  // namespace
}  // namespace millrace::internal
