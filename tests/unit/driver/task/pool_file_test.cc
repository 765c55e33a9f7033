#include "driver/task/pool_file.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(PoolFileTest, ReadsPools) {
  const auto pools = ParsePools(R"(<?xml version="1.0"?>
<!-- Who gets how much. -->
<allocations>
  <pool name="dashboards">
    <schedulingMode>FAIR</schedulingMode>
    <weight> 2 </weight>
    <minShare>3</minShare>
  </pool>
  <pool name = 'the rest'> <!-- as it comes --> </pool>
  <pool name="empty"/>
</allocations>
)");
  ASSERT_TRUE(pools.ok()) << pools.status();
  ASSERT_THAT(*pools, SizeIs(3));
  EXPECT_EQ(pools->at("dashboards"), (PoolSpec{.weight = 2, .min_share = 3, .is_fair = true}));
  EXPECT_EQ(pools->at("the rest"), PoolSpec());
  EXPECT_EQ(pools->at("empty"), PoolSpec());
}

TEST(PoolFileTest, MayHaveNoPools) {
  const auto pools = ParsePools("<allocations></allocations>");
  ASSERT_TRUE(pools.ok()) << pools.status();
  EXPECT_THAT(*pools, SizeIs(0));
}

TEST(PoolFileTest, SaysWhatIsWrongAndWhere) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "line 1: the file ends too early"},
      {"weight = 3", "line 1: expected a <tag>"},
      {"<pools>", "expected <allocations>, not <pools>"},
      {"<allocations>\n<pool>", "line 2: expected <pool name=\"...\">, not <pool>"},
      {"<allocations><pool id=\"a\">", "a pool needs a name"},
      {"<allocations><pool name=\"a\" b=\"c\">", "a pool needs a name=\"...\" and nothing else"},
      {"<allocations><pool name=\"a\">\n<weight>many</weight>",
       "line 2: weight must be a whole number, at least 1, not 'many'"},
      {"<allocations><pool name=\"a\"><weight>0</weight>", "at least 1, not '0'"},
      {"<allocations><pool name=\"a\"><minShare>-1</minShare>", "at least 0, not '-1'"},
      {"<allocations><pool name=\"a\"><schedulingMode>LIFO</schedulingMode>", "FIFO or FAIR"},
      {"<allocations><pool name=\"a\"><color>red</color>", "no 'color'"},
      {"<allocations><pool name=\"a\"><weight>1</pool>", "expected </weight>, not </pool>"},
      {"<allocations><pool name=\"a\"/><pool name=\"a\"/>", "a second pool 'a'"},
      {"<allocations><!-- ", "has no end"},
      {"<allocations></allocations><x>", "expected the end of the file"},
  };
  for (const auto& [text, message] : wrong) {
    const auto pools = ParsePools(text);
    EXPECT_EQ(pools.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(pools.status().message()), HasSubstr(message)) << text;
  }
}

}  // namespace
}  // namespace millrace::internal
