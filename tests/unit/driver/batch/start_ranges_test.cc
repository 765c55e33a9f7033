#include "driver/batch/start_ranges.h"

#include <cstdint>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(StartRangesTest, WhatIsRemovedSplitsItsRange) {
  StartRanges starts;
  starts.Append(2, 6);
  starts.Append(8, 9);
  starts.Remove(4);
  EXPECT_THAT(starts.ranges(), ElementsAre(Pair(2, 4), Pair(5, 6), Pair(8, 9)));
  starts.Remove(5);
  starts.Remove(2);
  starts.Remove(7);  // It was none of them.
  EXPECT_THAT(starts.ranges(), ElementsAre(Pair(3, 4), Pair(8, 9)));
  for (const int64_t start : {2, 4, 7, 9}) EXPECT_FALSE(starts.Contains(start)) << start;
  for (const int64_t start : {3, 8}) EXPECT_TRUE(starts.Contains(start)) << start;
}

TEST(StartRangesTest, TheHighestAreKept) {
  StartRanges starts;
  starts.Append(5, 5);
  EXPECT_THAT(starts.ranges(), IsEmpty()) << "nothing is in it";
  for (int64_t begin = 0; begin < 100; begin += 10) starts.Append(begin, begin + 5);
  starts.KeepLast(2);
  EXPECT_THAT(starts.ranges(), ElementsAre(Pair(80, 85), Pair(90, 95)));
}

}  // namespace
}  // namespace millrace::internal
