#include "executor/state/keyed_state.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/record/stable_hash.h"

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;

class KeyedStateTest : public ::testing::Test {
 protected:
  using Table = KeyedState<string, int>;

  uint32_t Add(const string& key) { return table_.FindOrAdd(StableHash(key), key); }
  void Set(const string& key, int state) { table_.Set(Add(key), state); }
  void Remove(const string& key) {
    const uint32_t index = Add(key);
    table_.Remove(index);
    table_.Unlink(index);
  }
  std::optional<int> Get(const string& key) const {
    const uint32_t index = table_.Find(StableHash(key), key);
    if (index == Table::kNone) return std::nullopt;
    const Table::Entry& entry = const_cast<Table&>(table_).entries()[index];
    return entry.alive ? std::optional<int>(entry.state) : std::nullopt;
  }
  // The keys in the order in which they time out.
  std::vector<string> ByAge() {
    std::vector<string> keys;
    for (uint32_t index = table_.oldest(); index != Table::kNone;
         index = table_.entries()[index].newer) {
      keys.push_back(table_.entries()[index].key);
    }
    return keys;
  }

  Table table_;
};

TEST_F(KeyedStateTest, ANewKeyIsThereOnceItHasAState) {
  EXPECT_EQ(table_.Find(StableHash(string("a")), "a"), Table::kNone);
  Add("a");
  EXPECT_EQ(Get("a"), std::nullopt);
  EXPECT_EQ(table_.live_count(), 0u);
  Set("a", 1);
  EXPECT_EQ(Get("a"), 1);
  EXPECT_EQ(table_.live_count(), 1u);
}

TEST_F(KeyedStateTest, AnAbortUndoesEveryChange) {
  Set("kept", 1);
  Set("changed", 2);
  Set("removed", 3);
  table_.Commit();

  Set("changed", 20);
  Set("changed", 21);
  Remove("removed");
  Set("added", 4);
  Remove("kept");
  Set("kept", 10);
  table_.Abort();

  EXPECT_EQ(Get("kept"), 1);
  EXPECT_EQ(Get("changed"), 2);
  EXPECT_EQ(Get("removed"), 3);
  EXPECT_EQ(Get("added"), std::nullopt);
  EXPECT_EQ(table_.live_count(), 3u);
}

TEST_F(KeyedStateTest, ACommitCannotBeUndone) {
  Set("a", 1);
  table_.Commit();
  Set("a", 2);
  table_.Commit();
  table_.Abort();
  EXPECT_EQ(Get("a"), 2);
}

TEST_F(KeyedStateTest, TheOldestIsWhatWasTouchedLongestAgo) {
  for (const char* const key : {"a", "b", "c"}) {
    Set(key, 1);
    table_.Touch(Add(key), 1000);
  }
  EXPECT_EQ(ByAge(), (std::vector<string>{"a", "b", "c"}));
  table_.Touch(Add("a"), 2000);
  EXPECT_EQ(ByAge(), (std::vector<string>{"b", "c", "a"}));
  table_.Unlink(Add("c"));
  EXPECT_EQ(ByAge(), (std::vector<string>{"b", "a"}));
  table_.Unlink(Add("c"));
  EXPECT_EQ(ByAge(), (std::vector<string>{"b", "a"}));
}

TEST_F(KeyedStateTest, AnAbortUndoesTouches) {
  Set("a", 1);
  table_.Touch(Add("a"), 1000);
  Set("b", 1);
  table_.Touch(Add("b"), 2000);
  table_.Commit();
  table_.Touch(Add("a"), 3000);
  Set("c", 1);
  table_.Touch(Add("c"), 3000);
  Remove("b");
  table_.Abort();
  EXPECT_EQ(ByAge(), (std::vector<string>{"a", "b"}));
  EXPECT_EQ(table_.entries()[Add("a")].touched_ms, 1000);
  EXPECT_EQ(Get("a"), 1);
}

TEST_F(KeyedStateTest, RemovedKeysGiveTheirMemoryBack) {
  const auto key = [](int i) { return "key " + std::to_string(i); };
  for (int i = 0; i < 5000; ++i) {
    Set(key(i), i);
    table_.Touch(Add(key(i)), i);
  }
  table_.Commit();
  for (int i = 0; i < 5000; ++i) {
    if (i % 7 != 0) Remove(key(i));
  }
  EXPECT_EQ(table_.entries().size(), 5000u);
  table_.Commit();
  EXPECT_EQ(table_.entries().size(), table_.live_count());
  std::vector<string> expected;
  for (int i = 0; i < 5000; ++i) {
    EXPECT_EQ(Get(key(i)), i % 7 == 0 ? std::optional<int>(i) : std::nullopt);
    if (i % 7 == 0) expected.push_back(key(i));
  }
  EXPECT_EQ(ByAge(), expected);
}

TEST_F(KeyedStateTest, DeadKeysThatAreStillLinkedDoNotBreakTheOrder) {
  const auto key = [](int i) { return "key " + std::to_string(i); };
  for (int i = 0; i < 3000; ++i) {
    Set(key(i), i);
    table_.Touch(Add(key(i)), i);
  }
  for (int i = 0; i < 3000; ++i) {
    if (i % 3 != 0) table_.Remove(Add(key(i)));
  }
  table_.Commit();
  EXPECT_EQ(ByAge().size(), 1000u);
}

TEST(KeyedStateOfViewsTest, KeysAreCopied) {
  KeyedState<string_view, int> table;
  for (int i = 0; i < 3000; ++i) {
    string key = "key number " + std::to_string(i);
    table.Set(table.FindOrAdd(StableHash(key), key), i);
    std::fill(key.begin(), key.end(), '?');
  }
  for (int i = 0; i < 2500; ++i) {
    const string key = "key number " + std::to_string(i);
    table.Remove(table.Find(StableHash(key), key));
  }
  table.Commit();  // Moves what is left.
  ASSERT_EQ(table.entries().size(), 500u);
  for (int i = 2500; i < 3000; ++i) {
    const string key = "key number " + std::to_string(i);
    const uint32_t index = table.Find(StableHash(key), key);
    ASSERT_NE(index, table.kNone);
    EXPECT_EQ(table.entries()[index].state, i);
  }
}

// Batches of random changes, committed or aborted, against a plain map.
class KeyedStateModelTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(KeyedStateModelTest, AgreesWithTheModel) {
  struct State {
    string value;
    int64_t touched_ms = 0;
  };
  std::mt19937 random(GetParam());
  const bool has_timeouts = GetParam() % 2 == 0;
  const unsigned key_count = 1 + random() % 2500;
  KeyedState<string, string> table;
  std::map<string, State> model;

  for (int64_t now_ms = 1000; now_ms < 30'000; now_ms += 1000) {
    std::map<string, State> next = model;
    const unsigned removals = random() % 100;  // In percent; high ones make the table compact.
    for (unsigned change = random() % 1500; change > 0; --change) {
      const string key = std::to_string(random() % key_count);
      const uint32_t index = table.FindOrAdd(StableHash(key), key);
      ASSERT_EQ(table.entries()[index].alive, next.count(key) > 0);
      if (random() % 100 < removals) {
        table.Remove(index);
        table.Unlink(index);
        next.erase(key);
      } else if (random() % 4 != 0) {
        const string value = std::to_string(random());
        table.Set(index, value);
        next[key].value = value;
        if (has_timeouts) {
          table.Touch(index, now_ms);
          next[key].touched_ms = now_ms;
        }
      }
    }
    if (random() % 3 == 0) {
      table.Abort();
    } else {
      table.Commit();
      model = std::move(next);
    }

    ASSERT_EQ(table.live_count(), model.size());
    size_t alive = 0;
    for (const auto& entry : table.entries()) {
      if (!entry.alive) continue;
      ++alive;
      ASSERT_EQ(model.count(entry.key), 1u);
      ASSERT_EQ(model[entry.key].value, entry.state);
    }
    ASSERT_EQ(alive, model.size());
    if (!has_timeouts) continue;
    size_t linked = 0;
    int64_t last_ms = 0;
    for (uint32_t i = table.oldest(); i != table.kNone; i = table.entries()[i].newer) {
      ++linked;
      const auto& entry = table.entries()[i];
      ASSERT_EQ(model.at(entry.key).touched_ms, entry.touched_ms);
      ASSERT_LE(last_ms, entry.touched_ms);
      last_ms = entry.touched_ms;
    }
    ASSERT_EQ(linked, model.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, KeyedStateModelTest, ::testing::Range(0u, 8u));

}  // namespace
}  // namespace millrace::internal
