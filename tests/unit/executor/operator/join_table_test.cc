#include "executor/operator/join_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "common/record/stable_hash.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Table = JoinTable<std::string_view, int64_t>;

void Add(Table& table, std::string_view key, int64_t value) {
  table.Add(StableHash(key), std::string_view(key), int64_t{value});
}

// The values of a key, in the order in which they are found.
std::vector<int64_t> Find(Table& table, uint64_t hash, std::string_view key) {
  std::vector<int64_t> values;
  bool is_missing = false;
  table.ForEachMatch(
      1, [&](size_t) { return hash; }, [&](size_t) -> const std::string_view& { return key; },
      [&](size_t, Table::Record& record) {
        values.push_back(record.value);
        return true;
      },
      [&](size_t) { return is_missing = true; });
  EXPECT_EQ(is_missing, values.empty());
  return values;
}
std::vector<int64_t> Find(Table& table, std::string_view key) {
  return Find(table, StableHash(key), key);
}

TEST(JoinTableTest, FindsTheRecordsOfAKeyInTheirOrder) {
  Table table;
  Add(table, "a", 1);
  Add(table, "b", 2);
  Add(table, "a", 3);
  Add(table, "a", 4);
  table.Build();
  EXPECT_EQ(table.size(), 4u);
  EXPECT_THAT(Find(table, "a"), ElementsAre(1, 3, 4));
  EXPECT_THAT(Find(table, "b"), ElementsAre(2));
  EXPECT_THAT(Find(table, "c"), IsEmpty());
}

TEST(JoinTableTest, AnEmptyTableHasNothing) {
  Table table;
  table.Build();
  EXPECT_THAT(Find(table, "a"), IsEmpty());
}

TEST(JoinTableTest, KeysOfOneHashAndHashesOfOneSlotAreToldApart) {
  Table table;
  table.Add(7, "a", 1);
  table.Add(7, "b", 2);
  table.Add(7 + (uint64_t{1} << 63), "a", 3);
  table.Build();
  EXPECT_THAT(Find(table, 7, "a"), ElementsAre(1));
  EXPECT_THAT(Find(table, 7, "b"), ElementsAre(2));
  EXPECT_THAT(Find(table, 7 + (uint64_t{1} << 63), "a"), ElementsAre(3));
}

TEST(JoinTableTest, LooksManyKeysUpAtOnceUntilItIsToldToStop) {
  constexpr int64_t kKeys = 5000;
  JoinTable<int64_t, int64_t> table;
  for (int64_t key = 0; key < kKeys; ++key) {
    table.Add(StableHash(key), int64_t{key}, 10 * key);
  }
  table.Build();
  std::vector<int64_t> sought;
  for (int64_t key = 0; key < 2 * kKeys; key += 2) sought.push_back(key);
  int64_t found = 0;
  int64_t missing = 0;
  const auto look = [&](int64_t stop_after) {
    return table.ForEachMatch(
        sought.size(), [&](size_t i) { return StableHash(sought[i]); },
        [&](size_t i) -> const int64_t& { return sought[i]; },
        [&](size_t i, auto& record) {
          EXPECT_EQ(record.key, sought[i]);
          EXPECT_EQ(record.value, 10 * sought[i]);
          record.is_matched = true;
          return ++found != stop_after;
        },
        [&](size_t i) {
          EXPECT_GE(sought[i], kKeys);
          ++missing;
          return true;
        });
  };
  EXPECT_TRUE(look(-1));
  EXPECT_EQ(found, kKeys / 2);
  EXPECT_EQ(missing, kKeys / 2);
  found = 0;
  EXPECT_FALSE(look(100));
  EXPECT_EQ(found, 100);

  int64_t next = 0;
  EXPECT_TRUE(table.ForEach([&](auto& record) {
    EXPECT_EQ(record.key, next);
    EXPECT_EQ(record.is_matched, next % 2 == 0);
    ++next;
    return true;
  }));
  EXPECT_EQ(next, kKeys);
  EXPECT_FALSE(table.ForEach([](auto& /*record*/) { return false; }));
}

}  // namespace
}  // namespace millrace::internal
