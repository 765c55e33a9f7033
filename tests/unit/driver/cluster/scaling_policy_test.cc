#include "driver/cluster/scaling_policy.h"

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kInterval{1000};

ScalingOptions Bounds(int at_least = 1, int at_most = 100) {
  return {.workers_min = at_least, .workers_max = at_most};
}

class ScalingPolicyTest : public ::testing::Test {
 protected:
  // What follows from batches that take as long.
  static int Decide(int workers, milliseconds processing,
                    const ScalingOptions& options = Bounds()) {
    ScalingPolicy policy(options, kInterval);
    policy.BatchCompleted(processing - milliseconds(10));
    policy.BatchCompleted(processing + milliseconds(10));
    return policy.Decide(workers);
  }
};

TEST_F(ScalingPolicyTest, NothingChangesInBetween) {
  EXPECT_EQ(Decide(4, milliseconds(310)), 4);
  EXPECT_EQ(Decide(4, milliseconds(890)), 4);
}

TEST_F(ScalingPolicyTest, ALoadAtTheRatioAsksForOneMoreAtLeast) {
  EXPECT_EQ(Decide(1, milliseconds(900)), 2);
  EXPECT_EQ(Decide(8, milliseconds(900)), 9);
}

TEST_F(ScalingPolicyTest, AHigherLoadAsksForWhatBringsItDown) {
  EXPECT_EQ(Decide(8, milliseconds(1350)), 12);
  EXPECT_EQ(Decide(8, milliseconds(9000)), 17) << "nine whole intervals";
  EXPECT_EQ(Decide(20, milliseconds(9000)), 40) << "not more than twice as many";
}

TEST_F(ScalingPolicyTest, ALowLoadGivesOneUp) {
  EXPECT_EQ(Decide(4, milliseconds(300)), 3);
  EXPECT_EQ(Decide(4, milliseconds(20)), 3);
  EXPECT_EQ(Decide(1, milliseconds(20)), 1);
}

TEST_F(ScalingPolicyTest, ButNotOneThatWouldBeMissed) {
  ScalingOptions options = Bounds();
  options.down_ratio = 0.5;
  EXPECT_EQ(Decide(2, milliseconds(480), options), 2) << "the other one would have 0.96";
  EXPECT_EQ(Decide(3, milliseconds(480), options), 2);
}

TEST_F(ScalingPolicyTest, BoundsHold) {
  EXPECT_EQ(Decide(4, milliseconds(5000), Bounds(1, 6)), 6);
  EXPECT_EQ(Decide(3, milliseconds(20), Bounds(3)), 3);
  EXPECT_EQ(Decide(1, milliseconds(500), Bounds(3)), 3);
  EXPECT_EQ(Decide(9, milliseconds(500), Bounds(1, 8)), 8);
}

TEST_F(ScalingPolicyTest, WithoutABatchNothingIsKnown) {
  ScalingPolicy policy(Bounds(), kInterval);
  EXPECT_EQ(policy.Decide(4), 4);
}

TEST_F(ScalingPolicyTest, EachDecisionBeginsAnew) {
  ScalingPolicy policy(Bounds(), kInterval);
  policy.BatchCompleted(milliseconds(5000));
  policy.Decide(1);
  policy.BatchCompleted(milliseconds(500));
  EXPECT_DOUBLE_EQ(policy.load(), 0.5);
}

TEST_F(ScalingPolicyTest, IsOverloadedWhenTheLoadIsKnownWellEnough) {
  ScalingPolicy policy(Bounds(), kInterval);
  for (int i = 0; i < ScalingPolicy::kBatchesMin; ++i) {
    EXPECT_FALSE(policy.IsOverloaded());
    policy.BatchCompleted(milliseconds(900));
  }
  EXPECT_TRUE(policy.IsOverloaded());
  policy.BatchCompleted(milliseconds(800));
  EXPECT_FALSE(policy.IsOverloaded());
}

}  // namespace
}  // namespace millrace::internal
