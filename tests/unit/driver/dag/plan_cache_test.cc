#include "driver/dag/plan_cache.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;

OperatorRef Op(const std::string& name, const std::string& params) {
  return std::make_shared<const OperatorSpec>(
      OperatorSpec{name, params, BindingKind::kNone, name + " at test.cc:1"});
}

class PlanCacheTest : public ::testing::Test {
 protected:
  PlanRef PlanOf(const std::string& params) {
    auto source = std::make_shared<RddNode>();
    source->op = Op("source", params);
    source->num_partitions = 1;
    const StageTree tree(source, {Op("collect", ""), 0, 0, ""}, cached_);
    return plans_.PlanOf(tree);
  }

  CachedPartitions cached_;
  PlanCache plans_;
};

TEST_F(PlanCacheTest, EqualStagesHaveOnePlan) {
  const PlanRef plan = PlanOf("a");
  EXPECT_EQ(PlanOf("a"), plan);
  EXPECT_NE(PlanOf("b")->digest, plan->digest);
  EXPECT_THAT(plan->labels, ElementsAre("source at test.cc:1", "collect at test.cc:1"));
}

TEST_F(PlanCacheTest, APlanThatIsMadeAnewIsTheSame) {
  const PlanRef plan = PlanOf("a");
  PlanCache other;
  plans_ = PlanCache();
  EXPECT_EQ(PlanOf("a")->digest, plan->digest);
  EXPECT_EQ(PlanOf("a")->bytes, plan->bytes);
}

TEST_F(PlanCacheTest, PlansThatChangeWithEveryBatchDoNotPileUp) {
  const PlanRef steady = PlanOf("steady");
  for (int batch = 0; batch < 5000; ++batch) {
    PlanOf(std::to_string(batch));
    EXPECT_EQ(PlanOf("steady"), steady) << "what is used stays";
  }
  EXPECT_LE(plans_.size(), PlanCache::kPlansMax);
}

}  // namespace
}  // namespace millrace::internal
