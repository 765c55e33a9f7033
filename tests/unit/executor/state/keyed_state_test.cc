#include "executor/state/keyed_state.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
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

// -- What changed since the state was saved ------------------------------------------------------

class KeyedStateChangesTest : public KeyedStateTest {
 protected:
  // "a=1 -b": what a snapshot would have to tell, in the order of keys.
  string Changes() const {
    std::map<string, string> changes;
    table_.ForEachChange([&changes](const Table::Entry& entry) {
      EXPECT_EQ(changes.count(entry.key), 0u) << entry.key;
      changes[entry.key] =
          entry.alive ? entry.key + "=" + std::to_string(entry.state) + " " : "-" + entry.key + " ";
    });
    string all;
    for (const auto& [key, change] : changes) all += change;
    return all;
  }
  void Save(int64_t time_ms) {
    table_.Saved(time_ms);
    table_.Commit();
  }
};

TEST_F(KeyedStateChangesTest, BuildOnWhatCounts) {
  Set("a", 1);
  Set("b", 2);
  EXPECT_EQ(table_.KeepChangesSince(-1), -1);
  Save(1000);
  Set("b", 20);
  Set("c", 3);
  EXPECT_EQ(table_.KeepChangesSince(1000), 1000);
  EXPECT_EQ(Changes(), "b=20 c=3 ");
  Save(2000);
  Set("a", 10);
  EXPECT_EQ(table_.KeepChangesSince(2000), 2000);
  EXPECT_EQ(Changes(), "a=10 ");
}

TEST_F(KeyedStateChangesTest, WhatDoesNotCountIsToldAgain) {
  Set("a", 1);
  Save(1000);
  Set("b", 2);
  EXPECT_EQ(table_.KeepChangesSince(1000), 1000);
  Save(2000);
  Set("c", 3);
  EXPECT_EQ(table_.KeepChangesSince(1000), 1000);
  EXPECT_EQ(Changes(), "b=2 c=3 ");
  Save(3000);
  // 2000 counts after all.
  Set("a", 10);
  EXPECT_EQ(table_.KeepChangesSince(2000), 2000);
  EXPECT_EQ(Changes(), "a=10 c=3 ");
}

TEST_F(KeyedStateChangesTest, AStateThatWasNeverSavedSoThatItCountsIsSavedWhole) {
  Set("a", 1);
  Save(1000);
  Set("b", 2);
  EXPECT_EQ(table_.KeepChangesSince(500), -1);  // Saved from another table.
  Save(2000);
  EXPECT_EQ(table_.KeepChangesSince(500), -1);
}

TEST_F(KeyedStateChangesTest, AnAbortLeavesThemAsTheyWere) {
  Set("a", 1);
  Set("b", 2);
  Save(1000);
  Set("a", 10);
  table_.Commit();

  Set("b", 20);
  Remove("a");
  Set("c", 3);
  EXPECT_EQ(table_.KeepChangesSince(1000), 1000);
  EXPECT_EQ(Changes(), "-a b=20 c=3 ");
  table_.Saved(2000);
  table_.Abort();
  EXPECT_EQ(Changes(), "a=10 ");
  // What the aborted update saved is no snapshot of this table.
  table_.Commit();
  EXPECT_EQ(table_.KeepChangesSince(2000), 1000);
  EXPECT_EQ(Changes(), "a=10 ");
}

TEST_F(KeyedStateChangesTest, RemovedKeysAreToldUntilThatCounts) {
  const auto key = [](int i) { return "key " + std::to_string(1000 + i); };
  for (int i = 0; i < 5000; ++i) Set(key(i), i);
  Save(1000);
  EXPECT_EQ(table_.KeepChangesSince(1000), 1000);
  for (int i = 0; i < 4000; ++i) Remove(key(i));
  Set("new", 1);
  Remove("new");
  table_.Commit();
  EXPECT_GT(table_.entries().size(), 5000u);  // Compacting would forget them.
  for (int i = 4000; i < 4990; ++i) Remove(key(i));
  Set(key(7), 7);
  table_.Commit();
  int removed = 0;
  table_.ForEachChange([&removed](const Table::Entry& entry) { removed += entry.alive ? 0 : 1; });
  EXPECT_EQ(removed, 4990);
  Save(2000);
  EXPECT_EQ(table_.KeepChangesSince(2000), 2000);
  table_.Commit();
  EXPECT_EQ(table_.entries().size(), 11u);
  EXPECT_EQ(Get(key(7)), 7);
  EXPECT_EQ(Changes(), "");
}

TEST_F(KeyedStateChangesTest, WhatWasLoadedCounts) {
  Set("a", 1);
  Set("b", 2);
  table_.LoadedAsOf(3000);
  table_.Commit();
  Set("a", 10);
  EXPECT_EQ(table_.KeepChangesSince(3000), 3000);
  EXPECT_EQ(Changes(), "a=10 ");
  // Something older counted when it was loaded, so that it stands before what was loaded.
  EXPECT_EQ(table_.KeepChangesSince(2000), 3000);
  EXPECT_EQ(Changes(), "a=10 ");
}

TEST_F(KeyedStateChangesTest, AStateThatIsNeverSavedNotesNothing) {
  for (int i = 0; i < 3; ++i) {
    Set("a", i);
    table_.Commit();
  }
  EXPECT_EQ(Changes(), "");
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

// The same, saved now and then: some of what is saved counts, some never does, some does only when
// there were later updates. What counts, put together, is the state as of the last of it.
class SavedStateModelTest : public ::testing::TestWithParam<unsigned> {
 protected:
  using Table = KeyedState<string, int>;
  using Model = std::map<string, int>;
  struct Snapshot {
    int64_t time_ms = 0;
    int64_t since_ms = -1;
    std::map<string, std::optional<int>> keys;
    Model expected;
  };

  void Update(Model& next) {
    const unsigned removals = random_() % 100;
    for (unsigned change = random_() % 700; change > 0; --change) {
      const string key = std::to_string(random_() % key_count_);
      const uint32_t index = table_->FindOrAdd(StableHash(key), key);
      if (random_() % 100 < removals) {
        table_->Remove(index);
        next.erase(key);
      } else {
        const int value = static_cast<int>(random_() % 1'000'000);
        table_->Set(index, value);
        next[key] = value;
      }
    }
  }

  Snapshot Save(int64_t now_ms, const Model& state) {
    Snapshot snapshot;
    snapshot.time_ms = now_ms;
    snapshot.expected = state;
    snapshot.since_ms = table_->KeepChangesSince(counted_ms_);
    const auto tell = [&](const Table::Entry& entry) {
      EXPECT_EQ(snapshot.keys.count(entry.key), 0u);
      snapshot.keys[entry.key] = entry.alive ? std::optional<int>(entry.state) : std::nullopt;
    };
    if (snapshot.since_ms >= 0) {
      table_->ForEachChange(tell);
    } else {
      for (const Table::Entry& entry : table_->entries()) {
        if (entry.alive) tell(entry);
      }
    }
    table_->Saved(now_ms);
    return snapshot;
  }

  void Count(const Snapshot& snapshot) {
    ASSERT_LE(snapshot.since_ms, counted_ms_);
    if (snapshot.since_ms < 0) saved_.clear();
    for (const auto& [key, state] : snapshot.keys) {
      if (state.has_value()) {
        saved_[key] = *state;
      } else {
        saved_.erase(key);
      }
    }
    ASSERT_EQ(saved_, snapshot.expected) << snapshot.time_ms << " since " << snapshot.since_ms;
    counted_ms_ = snapshot.time_ms;
  }

  std::mt19937 random_{GetParam()};
  const unsigned key_count_ = 1 + random_() % 2500;
  std::unique_ptr<Table> table_ = std::make_unique<Table>();
  int64_t counted_ms_ = -1;
  Model saved_;
};

TEST_P(SavedStateModelTest, IsTheStateAsItWas) {
  Model model;
  std::vector<Snapshot> open;  // Nobody knows yet whether they count.
  int deltas = 0;
  for (int64_t now_ms = 1000; now_ms < 100'000; now_ms += 1000) {
    Model next = model;
    Update(next);
    std::optional<Snapshot> snapshot;
    if (random_() % 2 == 0) snapshot = Save(now_ms, next);
    if (random_() % 4 == 0) {
      table_->Abort();
      continue;
    }
    table_->Commit();
    model = std::move(next);
    if (snapshot) open.push_back(*std::move(snapshot));
    while (!open.empty() && random_() % 2 == 0) {
      if (random_() % 4 != 0) {
        deltas += open.front().since_ms >= 0 ? 1 : 0;
        ASSERT_NO_FATAL_FAILURE(Count(open.front()));
      }
      open.erase(open.begin());
    }
    // A worker is lost with what it had, and another one goes on from what is saved.
    if (random_() % 8 == 0 && counted_ms_ >= 0) {
      table_ = std::make_unique<Table>();
      for (const auto& [key, state] : saved_) {
        table_->Set(table_->FindOrAdd(StableHash(key), key), state);
      }
      table_->LoadedAsOf(counted_ms_);
      table_->Commit();
      model = saved_;
      open.clear();
    }
  }
  EXPECT_GT(deltas, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SavedStateModelTest, ::testing::Range(0u, 16u));

INSTANTIATE_TEST_SUITE_P(Seeds, KeyedStateModelTest, ::testing::Range(0u, 8u));

}  // namespace
}  // namespace millrace::internal
