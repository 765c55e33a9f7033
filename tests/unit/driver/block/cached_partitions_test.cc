#include "driver/block/cached_partitions.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CachedPartitionsTest : public ::testing::Test {
 protected:
  CachedPartitionsTest() { cached_.Track(5); }
  CachedPartitions cached_;
};

TEST_F(CachedPartitionsTest, IsCompleteWhenEveryPartitionHasAHolder) {
  EXPECT_TRUE(cached_.Add(5, 0, 1));
  EXPECT_FALSE(cached_.IsComplete(5, 2));
  EXPECT_TRUE(cached_.Add(5, 0, 1)) << "told twice";
  EXPECT_TRUE(cached_.Add(5, 0, 2)) << "a copy";
  EXPECT_FALSE(cached_.IsComplete(5, 2));
  EXPECT_TRUE(cached_.Add(5, 1, 2));
  EXPECT_TRUE(cached_.IsComplete(5, 2));
  EXPECT_THAT(cached_.HoldersOf(5, 0), ElementsAre(1, 2));
}

TEST_F(CachedPartitionsTest, TakesNothingOfADataSetThatIsNotKept) {
  EXPECT_FALSE(cached_.Add(6, 0, 1));
  EXPECT_FALSE(cached_.IsComplete(6, 0));
  EXPECT_THAT(cached_.HoldersOf(6, 0), IsEmpty());
}

TEST_F(CachedPartitionsTest, APartitionIsThereAsLongAsOneCopyIs) {
  cached_.Add(5, 0, 1);
  cached_.Add(5, 0, 2);
  cached_.Remove(5, 0, 1);
  EXPECT_TRUE(cached_.IsComplete(5, 1));
  cached_.Remove(5, 0, 1);
  cached_.ForgetWorker(2);
  EXPECT_FALSE(cached_.IsComplete(5, 1));
  cached_.Remove(5, 9, 1);  // Never heard of.
}

TEST_F(CachedPartitionsTest, DropSaysWhoHoldsSomething) {
  cached_.Add(5, 0, 2);
  cached_.Add(5, 1, 1);
  cached_.Add(5, 2, 2);
  EXPECT_THAT(cached_.Drop(5), ElementsAre(1, 2));
  EXPECT_FALSE(cached_.IsTracked(5));
  EXPECT_TRUE(cached_.empty());
}

TEST_F(CachedPartitionsTest, APartitionThatCannotBeIsNotTaken) {
  EXPECT_FALSE(cached_.Add(5, -1, 1));
  EXPECT_FALSE(cached_.Add(5, 1 << 30, 1));
  cached_.Remove(5, -1, 1);
  EXPECT_THAT(cached_.HoldersOf(5, -1), IsEmpty());
}

}  // namespace
}  // namespace millrace::internal
