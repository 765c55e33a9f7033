#include "common/base/recent_ids.h"

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

TEST(RecentIdsTest, ForgetsTheOldest) {
  RecentIds ids;
  for (int64_t id = 0; id <= static_cast<int64_t>(RecentIds::kIdsMax); ++id) {
    EXPECT_FALSE(ids.Contains(id));
    ids.Add(id);
  }
  EXPECT_FALSE(ids.Contains(0));
  EXPECT_TRUE(ids.Contains(1));
  EXPECT_TRUE(ids.Contains(RecentIds::kIdsMax));
}

TEST(RecentIdsTest, AnIdThatComesAgainCountsOnce) {
  RecentIds ids;
  ids.Add(1);
  for (size_t i = 0; i < RecentIds::kIdsMax; ++i) ids.Add(2);
  EXPECT_TRUE(ids.Contains(1));
}

}  // namespace
}  // namespace millrace::internal
