#include "executor/operator/combine_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <string_view>

#include "common/record/stable_hash.h"

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;

template <class K>
bool Add(CombineTable<K, int>& table, const K& key, int value, uint64_t hash) {
  bool is_new = false;
  int& group = table.FindOrAdd(hash, key, is_new, [] { return 0; });
  group += value;
  return is_new;
}

template <class K>
std::map<K, int> Contents(CombineTable<K, int>& table) {
  std::map<K, int> contents;
  table.ForEach([&contents](uint64_t /*hash*/, const K& key, int group) {
    EXPECT_TRUE(contents.emplace(key, group).second);
    return true;
  });
  EXPECT_EQ(contents.size(), table.size());
  return contents;
}

TEST(CombineTableTest, VisitsEachKeyOnce) {
  CombineTable<string, int> table;
  for (const char* const key : {"c", "a", "c", "b", "a"}) {
    Add<string>(table, key, 1, StableHash(string_view(key)));
  }
  EXPECT_EQ(Contents(table), (std::map<string, int>{{"a", 2}, {"b", 1}, {"c", 2}}));
  int visited = 0;
  EXPECT_FALSE(table.ForEach([&visited](uint64_t, const string&, int) { return ++visited < 2; }));
  EXPECT_EQ(visited, 2);
}

TEST(CombineTableTest, HandsBackTheHashOfAKey) {
  CombineTable<string, int> strings;
  CombineTable<int64_t, int> numbers;
  for (int i = 0; i < 100; ++i) {
    const string key(static_cast<size_t>(i % 30), static_cast<char>('a' + i % 26));
    Add<string>(strings, key, 1, StableHash(key));
    Add<int64_t>(numbers, i, 1, StableHash(int64_t{i}));
  }
  const auto expect_hash = [](uint64_t hash, const auto& key, int) {
    EXPECT_EQ(hash, StableHash(key));
    return true;
  };
  EXPECT_TRUE(strings.ForEach(expect_hash));
  EXPECT_TRUE(numbers.ForEach(expect_hash));
}

// Keys of every length at which comparing or storing them changes, told apart by one byte anywhere.
TEST(CombineTableTest, TellsKeysApartByEveryByte) {
  CombineTable<string_view, int> table;
  for (size_t size = 0; size <= 70; ++size) {
    const string base(size, 'x');
    // One hash for all: only the comparison tells them apart.
    EXPECT_TRUE(Add<string_view>(table, base, 1, 7));
    for (size_t position = 0; position < size; ++position) {
      string other = base;
      other[position] = 'y';
      EXPECT_TRUE(Add<string_view>(table, other, 1, 7)) << size << " " << position;
      EXPECT_FALSE(Add<string_view>(table, other, 1, 7)) << size << " " << position;
    }
  }
}

TEST(CombineTableTest, KeysThatAreViewsAreCopied) {
  CombineTable<string_view, int> table;
  for (const size_t size : {1, 15, 16, 17, 100}) {
    string text(size, 'k');
    Add<string_view>(table, text, 1, StableHash(text));
    std::fill(text.begin(), text.end(), '?');
    EXPECT_EQ(Contents(table).count(string(size, 'k')), 1u);
    EXPECT_NE(table.Find(StableHash(string(size, 'k')), string(size, 'k')), nullptr);
  }
}

TEST(CombineTableTest, ViewsWithinKeysAreCopied) {
  using Key = std::tuple<std::pair<string_view, int>, std::optional<string_view>,
                         std::vector<string_view>, std::variant<string, string_view>>;
  CombineTable<Key, int> table;
  string text = "text";
  const auto make = [](string_view t) { return Key({t, 1}, t, {t, t}, t); };
  Add<Key>(table, make(text), 1, 5);
  std::fill(text.begin(), text.end(), '?');
  EXPECT_EQ(Contents(table).count(make("text")), 1u);
}

template <class K>
void CompareWithAMap(unsigned seed, K (*make_key)(std::mt19937&), bool poor_hash) {
  std::mt19937 random(seed);
  CombineTable<K, int> table;
  std::map<K, int> model;
  for (int step = 0; step < 20'000; ++step) {
    const K key = make_key(random);
    // A poor hash makes long probes and equal tags.
    const uint64_t hash = poor_hash ? StableHash(key) % 3 : StableHash(key);
    switch (random() % 16) {
      case 0: {
        const int* const found = table.Find(hash, key);
        const auto expected = model.find(key);
        ASSERT_EQ(found != nullptr, expected != model.end());
        if (found != nullptr) {
          ASSERT_EQ(*found, expected->second);
        }
        break;
      }
      case 1:
        if (random() % 300 == 0) {
          table.Clear();
          model.clear();
        }
        break;
      default: {
        const int value = static_cast<int>(random() % 10);
        ASSERT_EQ(Add<K>(table, key, value, hash), model.count(key) == 0);
        model[key] += value;
      }
    }
  }
  ASSERT_EQ(Contents(table), model);
}

TEST(CombineTableTest, AgreesWithAMapUnderRandomOperations) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    CompareWithAMap<int64_t>(
        seed, [](std::mt19937& random) { return static_cast<int64_t>(random() % 5000); }, false);
    CompareWithAMap<string>(
        seed,
        [](std::mt19937& random) {
          return string(random() % 20, static_cast<char>('a' + random() % 20));
        },
        false);
    CompareWithAMap<std::pair<int, string>>(
        seed,
        [](std::mt19937& random) {
          return std::pair(static_cast<int>(random() % 9), std::to_string(random() % 100));
        },
        false);
  }
}

TEST(CombineTableTest, APoorHashOnlyMakesItSlow) {
  CompareWithAMap<int64_t>(
      1, [](std::mt19937& random) { return static_cast<int64_t>(random() % 300); }, true);
  CompareWithAMap<string>(
      2, [](std::mt19937& random) { return std::to_string(random() % 300); }, true);
}

TEST(CombineTableTest, AGroupThatCannotBeMadeLeavesNoEntry) {
  CombineTable<string_view, string> table;
  const auto throwing = []() -> string { throw std::runtime_error("no group"); };
  bool is_new = false;
  EXPECT_THROW(table.FindOrAdd(1, "key", is_new, throwing), std::runtime_error);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.Find(1, "key"), nullptr);
  EXPECT_EQ(table.FindOrAdd(1, "key", is_new, [] { return string("made"); }), "made");
  EXPECT_TRUE(is_new);
}

TEST(CombineTableTest, KnowsItsMemory) {
  CombineTable<string_view, int> table;
  const size_t empty = table.memory_bytes();
  for (int i = 0; i < 10'000; ++i) {
    const string key = "key number " + std::to_string(i);
    Add<string_view>(table, key, 1, StableHash(key));
  }
  EXPECT_GT(table.memory_bytes(), empty + 10'000 * 20);
}

}  // namespace
}  // namespace millrace::internal
