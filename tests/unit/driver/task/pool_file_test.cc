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
      {"", "line 0: no XML"},
      {"weight = 3", "no XML"},
      {"<pools/>", "line 1: expected <allocations>"},
      {"<allocations>\n<pool/></allocations>", "line 2: expected <pool name=\"...\">, not <pool>"},
      {"<allocations><queue name=\"a\"/></allocations>", "not <queue>"},
      {"<allocations><pool id=\"a\"/></allocations>", "expected <pool name"},
      {"<allocations><pool name=\"a\">\n<weight>many</weight></pool></allocations>",
       "line 2: weight must be a whole number, at least 1, not 'many'"},
      {"<allocations><pool name=\"a\"><weight>0</weight></pool></allocations>",
       "at least 1, not '0'"},
      {"<allocations><pool name=\"a\"><weight/></pool></allocations>", "at least 1, not ''"},
      {"<allocations><pool name=\"a\"><minShare>-1</minShare></pool></allocations>",
       "at least 0, not '-1'"},
      {"<allocations><pool name=\"a\"><schedulingMode>LIFO</schedulingMode></pool></allocations>",
       "FIFO or FAIR, not 'LIFO'"},
      {"<allocations><pool name=\"a\"><color>red</color></pool></allocations>", "no 'color'"},
      {"<allocations>\n<pool name=\"a\"><weight>1</pool>", "line 2: no XML"},
      {"<allocations><pool name=\"a\"/>\n<pool name=\"a\"/></allocations>",
       "line 2: a second pool 'a'"},
      {"<allocations><!-- ", "no XML"},
  };
  for (const auto& [text, message] : wrong) {
    const auto pools = ParsePools(text);
    EXPECT_EQ(pools.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(pools.status().message()), HasSubstr(message)) << text;
  }
}

}  // namespace
}  // namespace millrace::internal
