#include "client/source/offset_limits.h"

#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using namespace std::chrono_literals;

using Offsets = std::vector<int64_t>;

Offsets Limit(const std::vector<PartitionLag>& partitions, const OffsetLimits& limits,
              std::chrono::milliseconds interval = 1s) {
  return LimitOffsets(partitions, limits, interval);
}

TEST(OffsetLimitsTest, WithoutLimitsABatchTakesAll) {
  EXPECT_EQ(Limit({{0, 100}, {50, 50}}, {}), (Offsets{100, 50}));
  EXPECT_EQ(Limit({}, {}), Offsets{});
}

TEST(OffsetLimitsTest, TheMaximumCountsForEachPartition) {
  EXPECT_EQ(Limit({{0, 100}, {10, 15}, {7, 7}}, {.max_rate_per_partition = 10}),
            (Offsets{10, 15, 7}));
  EXPECT_EQ(Limit({{0, 100}}, {.max_rate_per_partition = 10}, 250ms), (Offsets{2}))
      << "2.5 rounded down";
}

TEST(OffsetLimitsTest, TheRateIsSharedOutByLag) {
  EXPECT_EQ(Limit({{0, 300}, {1000, 1100}, {5, 5}}, {.rate = 100}), (Offsets{75, 1025, 5}));
  EXPECT_EQ(Limit({{0, 300}, {0, 100}}, {.rate = 100}, 2s), (Offsets{150, 50}));
  EXPECT_EQ(Limit({{0, 30}, {0, 10}}, {.rate = 100}), (Offsets{30, 10})) << "all there is";
}

TEST(OffsetLimitsTest, AShareIsCappedByTheMaximum) {
  EXPECT_EQ(Limit({{0, 300}, {0, 100}}, {.rate = 100, .max_rate_per_partition = 50}),
            (Offsets{50, 25}));
}

TEST(OffsetLimitsTest, NoPartitionStarves) {
  EXPECT_EQ(Limit({{0, 1000}, {0, 1}}, {.rate = 10}), (Offsets{9, 1}));
  EXPECT_EQ(Limit({{0, 1000}, {0, 2}}, {.rate = 10, .min_per_partition = 5}), (Offsets{9, 2}));
  EXPECT_EQ(Limit({{0, 1000}}, {.max_rate_per_partition = 3, .min_per_partition = 5}),
            (Offsets{5}));
  EXPECT_EQ(Limit({{0, 1000}, {0, 1}}, {.rate = 10, .min_per_partition = 0}), (Offsets{9, 0}));
}

// Source: DirectKafkaStreamSuite of Spark ("maxMessagesPerPartition ...").
TEST(OffsetLimitsTest, WithNoLagTheMaximumIsAllThatCounts) {
  EXPECT_EQ(Limit({{100, 100}, {200, 200}}, {.rate = 100, .max_rate_per_partition = 10}),
            (Offsets{100, 200}));
}

TEST(OffsetLimitsTest, HugeNumbersAreNoTrouble) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Limit({{0, kMax}}, {.rate = 1e300}), (Offsets{kMax}));
  EXPECT_EQ(Limit({{0, kMax}, {0, kMax}}, {.rate = 100}), (Offsets{50, 50}));
}

}  // namespace
}  // namespace millrace::internal
