#include "common/record/key_order.h"

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "common/record/stable_hash.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Each is below the next one, and equal to itself alone.
template <class T>
void ExpectRising(const std::vector<T>& keys) {
  for (size_t i = 0; i < keys.size(); ++i) {
    for (size_t j = 0; j < keys.size(); ++j) {
      EXPECT_EQ(KeyLess(keys[i], keys[j]), i < j) << i << " " << j;
      EXPECT_EQ(EqualKeys(keys[i], keys[j]), i == j) << i << " " << j;
    }
  }
}

TEST(KeyOrderTest, NanIsOneKeyBehindAllNumbers) {
  ExpectRising<double>({-kInfinity, -1, 0, 1, kInfinity, kNan});
  ExpectRising<float>({-1, 1, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_TRUE(EqualKeys(kNan, -kNan));
  EXPECT_TRUE(EqualKeys(0.0, -0.0));
  EXPECT_FALSE(KeyLess(-0.0, 0.0));
}

TEST(KeyOrderTest, NanInPairsTuplesAndOptionals) {
  using Pair = std::pair<double, std::string>;
  ExpectRising<Pair>({{1, "b"}, {2, "a"}, {kNan, "a"}, {kNan, "b"}});
  using Tuple = std::tuple<int, std::optional<double>, int>;
  ExpectRising<Tuple>(
      {{1, kNan, 1}, {2, std::nullopt, 9}, {2, 1, 3}, {2, kNan, 1}, {2, kNan, 2}, {3, 0, 0}});
}

TEST(KeyOrderTest, OtherTypesHaveTheirOwn) {
  ExpectRising<std::string>({"", "a", "b"});
  ExpectRising<std::pair<int, std::string>>({{1, "b"}, {2, "a"}});
}

TEST(KeyOrderTest, ViewsAndOwnersCompare) {
  using std::string_literals::operator""s;
  EXPECT_TRUE(KeyOrder()("a"s, std::string_view("b")));
  EXPECT_FALSE(KeyOrder()(std::string_view("b"), "a"s));
}

TEST(KeyOrderTest, EqualKeysHaveEqualHashes) {
  EXPECT_EQ(StableHash(kNan), StableHash(-kNan));
  EXPECT_EQ(StableHash(std::pair(kNan, 1)), StableHash(std::pair(-kNan, 1)));
  EXPECT_NE(StableHash(kNan), StableHash(kInfinity));
}

}  // namespace
}  // namespace millrace::internal
