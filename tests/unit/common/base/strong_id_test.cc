#include "common/base/strong_id.h"

#include <gtest/gtest.h>

#include <sstream>
#include <type_traits>
#include <unordered_set>

#include "absl/container/flat_hash_set.h"

namespace millrace {
namespace {

using StageId = StrongId<struct StageIdTag>;
using TaskId = StrongId<struct TaskIdTag>;
using HostId = StrongId<struct HostIdTag, std::string>;

static_assert(!std::is_convertible_v<int64_t, StageId>);
static_assert(!std::is_convertible_v<StageId, int64_t>);
static_assert(!std::is_constructible_v<StageId, TaskId>);
static_assert(sizeof(StageId) == sizeof(int64_t));
static_assert(StageId(3).value() == 3);
static_assert(StageId() == StageId(0));

TEST(StrongIdTest, OrdersLikeItsValue) {
  EXPECT_LT(StageId(1), StageId(2));
  EXPECT_GE(StageId(2), StageId(2));
  EXPECT_NE(StageId(1), StageId(2));
  EXPECT_LT(HostId("a"), HostId("b"));
}

TEST(StrongIdTest, HashesInBothKindsOfContainers) {
  const absl::flat_hash_set<StageId> swiss = {StageId(1), StageId(1), StageId(2)};
  EXPECT_EQ(swiss.size(), 2u);
  const std::unordered_set<HostId> standard = {HostId("a"), HostId("a"), HostId("b")};
  EXPECT_EQ(standard.size(), 2u);
}

TEST(StrongIdTest, PrintsItsValue) {
  std::ostringstream os;
  os << StageId(42) << ' ' << HostId("node-1");
  EXPECT_EQ(os.str(), "42 node-1");
}

}  // namespace
}  // namespace millrace
