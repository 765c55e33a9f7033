#include "executor/task/stage_plan.h"

#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "executor/task/stage_plan_cache.h"
#include "tests/support/number_operators.h"

namespace millrace::internal {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(PlanBuilder& plan) {
  return std::string(ParsedPlan::Parse(plan.Serialize()).status().message());
}

TEST(StagePlanTest, FindsOperatorsAndKeepsTheirData) {
  PlanBuilder builder;
  builder.Add<ParamNumbers>({}, "params");
  builder.Add<CollectNumbers>({0});
  builder.plan().mutable_nodes(1)->clear_label();
  const auto plan = ParsedPlan::Parse(builder.Serialize());
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ((*plan)->nodes().size(), 2u);
  EXPECT_EQ((*plan)->root(), 1u);
  EXPECT_EQ((*plan)->nodes()[0].params, "params");
  EXPECT_EQ((*plan)->nodes()[0].label, "Node0 at test.cc:1");
  EXPECT_EQ((*plan)->nodes()[1].label, Registration<CollectNumbers>::entry().name());
  EXPECT_EQ((*plan)->nodes()[1].op, &Registration<CollectNumbers>::entry().object());
}

TEST(StagePlanTest, MalformedPlansAreErrorsThatNameTheNode) {
  EXPECT_THAT(std::string(ParsedPlan::Parse("\xff\xff").status().message()),
              HasSubstr("is not a StagePlan"));
  PlanBuilder empty;
  EXPECT_THAT(ErrorOf(empty), HasSubstr("has 0 nodes"));

  PlanBuilder self;
  self.Add<CollectNumbers>({0});
  EXPECT_THAT(ErrorOf(self),
              HasSubstr("plan node 0 (Node0 at test.cc:1) reads a node that does not"));

  PlanBuilder leaf_with_input;
  leaf_with_input.Add<ParamNumbers>();
  leaf_with_input.Add<SplitNumbers>({0}, "", proto::BINDING_SPLIT);
  EXPECT_THAT(ErrorOf(leaf_with_input), HasSubstr("must have no inputs"));

  PlanBuilder select_of_nothing;
  select_of_nothing.AddNamed("millrace.Select", {}, "", proto::BINDING_SELECT);
  EXPECT_THAT(ErrorOf(select_of_nothing), HasSubstr("selects an input and has none"));

  PlanBuilder concat_of_two;
  concat_of_two.Add<ParamNumbers>();
  concat_of_two.AddNamed("millrace.Concat", {0, 0}, "", proto::BINDING_CONCAT);
  EXPECT_THAT(ErrorOf(concat_of_two), HasSubstr("must have one"));

  PlanBuilder unknown_kind;
  unknown_kind.Add<ParamNumbers>({}, "", static_cast<proto::BindingKind>(77));
  EXPECT_THAT(ErrorOf(unknown_kind), HasSubstr("unknown kind"));
}

TEST(StagePlanTest, AnOperatorOfAnotherProgramIsNamed) {
  PlanBuilder plan;
  plan.AddNamed("7Unknown", {});
  const auto parsed = ParsedPlan::Parse(plan.Serialize());
  EXPECT_TRUE(absl::IsNotFound(parsed.status()));
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("'7Unknown'"));
}

TEST(StagePlanTest, AnotherVersionIsRefused) {
  PlanBuilder plan;
  plan.Add<ParamNumbers>();
  plan.plan().set_version(2);
  EXPECT_THAT(std::string(ParsedPlan::Parse(plan.plan().SerializeAsString()).status().message()),
              HasSubstr("has version 2"));
}

TEST(StagePlanTest, ChainsThatWouldOverflowTheStackAreRefused) {
  PlanBuilder plan;
  plan.Add<ParamNumbers>();
  for (uint32_t i = 0; i < kPlanDepthMax; ++i) plan.Add<TimesNumber>({i});
  EXPECT_THAT(ErrorOf(plan), HasSubstr("more than 256 operators"));
}

TEST(StagePlanTest, DamagedBytesNeverCrash) {
  PlanBuilder builder;
  builder.Add<ParamNumbers>({}, "params");
  builder.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
  builder.AddNamed("millrace.Select", {0, 1}, "", proto::BINDING_SELECT);
  builder.Add<CollectNumbers>({2});
  const std::string bytes = builder.Serialize();
  const google::protobuf::LogSilencer silence;  // It complains about every broken string.
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = bytes;
    for (int n = 0; n < 3; ++n) damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto plan = ParsedPlan::Parse(damaged);
    if (!plan.ok()) continue;
    for (uint32_t node = 0; node < (*plan)->nodes().size(); ++node) {
      for (const uint32_t input : (*plan)->nodes()[node].inputs) EXPECT_LT(input, node);
    }
  }
}

TEST(StagePlanCacheTest, KeepsWhatWasUsedLast) {
  PlanBuilder builder;
  builder.Add<ParamNumbers>();
  const std::string plan = builder.Serialize();
  StagePlanCache cache(/*plans_max=*/2);
  cache.Register(1, plan);
  cache.Register(2, plan);
  ASSERT_NE(cache.Find(1), nullptr);
  cache.Register(3, plan);
  EXPECT_NE(cache.Find(1), nullptr);
  EXPECT_EQ(cache.Find(2), nullptr);
  EXPECT_NE(cache.Find(3), nullptr);
  cache.Register(3, plan);
  EXPECT_EQ(cache.plan_count(), 2u);
  EXPECT_EQ(cache.bytes(), 2 * plan.size());
}

TEST(StagePlanCacheTest, IsBoundedInBytesAndKeepsTheNewestWhateverItsSize) {
  PlanBuilder builder;
  builder.Add<ParamNumbers>({}, std::string(1000, 'x'));
  StagePlanCache cache(/*plans_max=*/100, /*bytes_max=*/100);
  cache.Register(1, builder.Serialize());
  EXPECT_NE(cache.Find(1), nullptr);
  cache.Register(2, builder.Serialize());
  EXPECT_EQ(cache.Find(1), nullptr);
  EXPECT_NE(cache.Find(2), nullptr);
}

TEST(StagePlanCacheTest, AMalformedPlanIsKeptAsItsError) {
  StagePlanCache cache;
  cache.Register(1, "\xff\xff");
  ASSERT_NE(cache.Find(1), nullptr);
  EXPECT_FALSE(cache.Find(1)->ok());
}

}  // namespace
}  // namespace millrace::internal
