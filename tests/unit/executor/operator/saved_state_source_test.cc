// What state operators save, read again: whole, and as what changed since.
#include "executor/operator/saved_state_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/fs/file_util.h"
#include "executor/operator/state_ops.h"
#include "executor/sink/object_file.h"
#include "executor/state/state_file.h"
#include "tests/support/fake_task.h"
#include "tests/support/temp_dir.h"

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kPartition = 2;
using Saved = std::pair<string, std::pair<int, int64_t>>;

class SavedStateTest : public ::testing::Test {
 protected:
  using Table = KeyedState<string_view, int>;
  using Save = SaveStateOperator<string_view, int, true, Saved>;
  using Load = SavedStateOperator<string_view, int, true>;

  SavedStateTest() { now_ms_ = 0; }

  void Set(const string& key, int state) {
    Table& table = this->table();
    const uint32_t index = table.FindOrAdd(StableHash(string_view(key)), key);
    table.Set(index, state);
    table.Touch(index, now_ms_);
  }
  void Remove(const string& key) {
    Table& table = this->table();
    const uint32_t index = table.FindOrAdd(StableHash(string_view(key)), key);
    table.Remove(index);
    table.Unlink(index);
  }

  // As of now, a second later than the time before; what was saved since `since_ms` counts.
  string SaveNow(int64_t since_ms = -1) {
    now_ms_ += 1000;
    const string directory = dir_.path() + "/" + std::to_string(now_ms_);
    LocalFileSystem fs;
    EXPECT_TRUE(fs.CreateDirs(directory).ok());
    FakeTask task(kPartition);
    FakeNode& node = task.Node<Save>();
    node.state = &partition_;
    node.batch_time = now_ms_;
    node.snapshot_path = directory;
    node.snapshot_since = since_ms;
    EXPECT_TRUE(task.RunRoot(node)) << task.status();
    partition_->Commit();
    return directory + "/part-00002";
  }

  absl::StatusOr<std::vector<Saved>> Read(const std::vector<SavedPart>& parts,
                                          uint32_t partition = kPartition) {
    Encoder split;
    Encode(split, SavedPartition{partition, parts});
    FakeTask task;
    FakeNode& node = task.Node<Load>();
    node.split = split.ToString();
    std::vector<Saved> records = task.Run<std::pair<string_view, std::pair<int, int64_t>>>(node);
    if (!task.succeeded) return task.status();
    std::sort(records.begin(), records.end());
    return records;
  }

  string BytesOf(const string& path) {
    LocalFileSystem fs;
    return *ReadWholeFile(fs, path, 1 << 20);
  }
  void Overwrite(const string& path, const string& bytes) {
    LocalFileSystem fs;
    ASSERT_TRUE(WriteFileAtomically(fs, path, bytes).ok());
  }

  Table& table() {
    if (partition_ == nullptr) partition_ = std::make_unique<Table>();
    return static_cast<Table&>(*partition_);
  }

  const TempDir dir_;
  std::unique_ptr<StatePartition> partition_;
  int64_t now_ms_ = 0;
};

TEST_F(SavedStateTest, AllKeysAndWhatChangedSince) {
  Set("kept", 1);
  Set("changed", 2);
  Set("removed", 3);
  Set("removed and back", 4);
  const SavedPart all{SaveNow(), 1000};
  Set("changed", 20);
  Set("new", 5);
  Remove("removed");
  Remove("removed and back");
  const SavedPart first{SaveNow(1000), 2000};
  Set("changed", 21);
  Set("removed and back", 40);
  Remove("new");
  const SavedPart second{SaveNow(2000), 3000};

  EXPECT_THAT(*Read({all}),
              ElementsAre(Saved{"changed", {2, 0}}, Saved{"kept", {1, 0}}, Saved{"removed", {3, 0}},
                          Saved{"removed and back", {4, 0}}));
  EXPECT_THAT(*Read({all, first}), ElementsAre(Saved{"changed", {20, 1000}}, Saved{"kept", {1, 0}},
                                               Saved{"new", {5, 1000}}));
  EXPECT_THAT(*Read({all, first, second}),
              ElementsAre(Saved{"changed", {21, 2000}}, Saved{"kept", {1, 0}},
                          Saved{"removed and back", {40, 2000}}));
  // What builds on something older stands behind something newer as well.
  Set("changed", 22);
  const SavedPart third{SaveNow(2000), 4000};
  EXPECT_THAT(*Read({all, first, second, third}),
              ElementsAre(Saved{"changed", {22, 3000}}, Saved{"kept", {1, 0}},
                          Saved{"removed and back", {40, 2000}}));
}

TEST_F(SavedStateTest, NothingBeforeAPartWithAllKeysIsRead) {
  Set("old", 1);
  const SavedPart all{SaveNow(), 1000};
  // Its worker began anew and has no changes since.
  partition_.reset();
  Set("new", 2);
  const SavedPart again{SaveNow(1000), 2000};
  EXPECT_THAT(*Read({all, again}), ElementsAre(Saved{"new", {2, 1000}}));
  EXPECT_THAT(*Read({SavedPart{dir_.path() + "/missing", 500}, again}),
              ElementsAre(Saved{"new", {2, 1000}}));
}

TEST_F(SavedStateTest, WhatIsSavedFollowsTheKeysThatChanged) {
  for (int i = 0; i < 10'000; ++i) Set("key " + std::to_string(i), i);
  const size_t all = BytesOf(SaveNow()).size();
  for (int i = 0; i < 100; ++i) Set("key " + std::to_string(i), i + 1);
  const size_t changed = BytesOf(SaveNow(1000)).size();
  EXPECT_LE(changed, all / 90);
  EXPECT_LE(BytesOf(SaveNow(2000)).size(), 52u);  // Nothing but the head and the end.
}

TEST_F(SavedStateTest, ManyKeysTakeSeveralFrames) {
  std::vector<Saved> expected;
  for (int i = 0; i < 50'000; ++i) {
    const string key = "a key that is rather long, " + std::to_string(100'000 + i);
    Set(key, i);
    expected.push_back({key, {i, 0}});
  }
  const SavedPart all{SaveNow(), 1000};
  EXPECT_EQ(*Read({all}), expected);
  for (int i = 0; i < 50'000; i += 2) Remove(expected[static_cast<size_t>(i)].first);
  const SavedPart changed{SaveNow(1000), 2000};
  std::vector<Saved> odd;
  for (size_t i = 1; i < expected.size(); i += 2) odd.push_back(expected[i]);
  EXPECT_EQ(*Read({all, changed}), odd);
}

TEST_F(SavedStateTest, AnObjectFileHasAllKeys) {
  Encoder records;
  Encode(records, Saved{"a", {1, 500}});
  Encode(records, Saved{"b", {2, 600}});
  const string path = dir_.path() + "/part-00002";
  Overwrite(path, ObjectFileHead() + ObjectFrameHead(records.view(), 2) + records.ToString());
  const SavedPart all{path, 1000};
  EXPECT_THAT(*Read({all}), ElementsAre(Saved{"a", {1, 500}}, Saved{"b", {2, 600}}));
  Set("a", 1);
  SaveNow();
  Remove("a");
  EXPECT_THAT(*Read({all, {SaveNow(1000), 2000}}), ElementsAre(Saved{"b", {2, 600}}));
}

TEST_F(SavedStateTest, APartThatIsMissingIsAnErrorThatNamesIt) {
  Set("a", 1);
  const SavedPart all{SaveNow(), 1000};
  Set("b", 1);
  const SavedPart changed{SaveNow(1000), 2000};
  const SavedPart missing{dir_.path() + "/gone/part-00002", 1000};
  const absl::Status status = Read({missing, changed}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr(missing.path));
  EXPECT_THAT(Read({changed}).status().message(),
              HasSubstr("it builds on batch 1000 ms, and what is there before it is nothing"));
  // One in the middle that the others do not tell of.
  Set("c", 1);
  const SavedPart last{SaveNow(2000), 3000};
  EXPECT_THAT(
      Read({all, last}).status().message(),
      HasSubstr("it builds on batch 2000 ms, and what is there before it is of batch 1000"));
}

TEST_F(SavedStateTest, APartOfAnotherBatchOrPartitionIsRefused) {
  Set("a", 1);
  const SavedPart all{SaveNow(), 1000};
  EXPECT_THAT(Read({{all.path, 2000}}).status().message(),
              HasSubstr("of partition 2 and batch 1000"));
  EXPECT_EQ(Read({all}, 1).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SavedStateTest, DamagedAtAnyByteItIsRefused) {
  Set("a", 1);
  Set("b", 2);
  const SavedPart all{SaveNow(), 1000};
  Remove("b");
  Set("c", 3);
  const SavedPart changed{SaveNow(1000), 2000};
  const std::vector<SavedPart> parts{all, changed};
  ASSERT_TRUE(Read(parts).ok());
  for (const SavedPart& part : parts) {
    const string bytes = BytesOf(part.path);
    for (size_t i = 0; i < bytes.size(); ++i) {
      string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ 0x41);
      Overwrite(part.path, flipped);
      const absl::Status status = Read(parts).status();
      ASSERT_FALSE(status.ok()) << part.path << " at " << i;
      EXPECT_THAT(status.message(), HasSubstr(part.path));
      Overwrite(part.path, bytes.substr(0, i));
      EXPECT_THAT(Read(parts).status().message(), HasSubstr(part.path + ":"));
    }
    Overwrite(part.path, bytes);
  }
}

// Records that are whole, but not those that are expected.
TEST_F(SavedStateTest, RecordsThatAreOthersAreRefused) {
  const string path = dir_.path() + "/part-00002";
  const auto read = [&](const string& records, uint32_t count) {
    Overwrite(path, EncodeStateFileHead({.time_ms = 1000, .partition = kPartition}) +
                        StateFrameHead(records, count) + records + StateFileEnd(1));
    return Read({{path, 1000}}).status();
  };
  Encoder record;
  record.PutFixed(kKeyHasState);
  Encode(record, std::pair<string, int>("a", 1));
  record.PutVarint(501);
  EXPECT_TRUE(read(record.ToString(), 1).ok());
  for (const uint32_t count : {0u, 2u}) {
    const absl::Status status = read(record.ToString(), count);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr(path + ": wrong records at offset 52"));
  }
  EXPECT_EQ(read("\2a", 1).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(read(record.ToString().substr(0, 8), 1).code(), absl::StatusCode::kDataLoss);
}

TEST_F(SavedStateTest, ALoadedStateGoesOnWithWhatChanged) {
  Set("a", 1);
  Set("b", 2);
  const SavedPart all{SaveNow(), 1000};
  Encoder split;
  Encode(split, SavedPartition{kPartition, {all}});
  partition_.reset();
  FakeTask task(kPartition);
  FakeNode& read = task.Node<Load>();
  read.split = split.ToString();
  FakeNode& hashed = task.Node<AddHashOperator<string_view, std::pair<int, int64_t>>>({}, {&read});
  FakeNode& load = task.Node<LoadStateOperator<string_view, int, true, Saved>>({}, {&hashed});
  load.state = &partition_;
  load.batch_time = 1000;
  ASSERT_TRUE(task.RunRoot(load)) << task.status();
  partition_->Commit();
  EXPECT_EQ(table().live_count(), 2u);

  Remove("a");
  const SavedPart changed{SaveNow(1000), 2000};
  EXPECT_THAT(BytesOf(changed.path), ::testing::SizeIs(36 + 16 + 3 + 16));
  EXPECT_THAT(*Read({all, changed}), ElementsAre(Saved{"b", {2, 0}}));
}

TEST_F(SavedStateTest, AWorkerThatCannotWriteSavesNothingAndGoesOn) {
  Set("a", 1);
  const SavedPart all{SaveNow(), 1000};
  Set("b", 2);
  now_ms_ += 1000;
  FakeTask task(kPartition);
  FakeNode& node = task.Node<Save>();
  node.state = &partition_;
  node.batch_time = now_ms_;
  node.snapshot_path = dir_.path() + "/nowhere";
  node.snapshot_since = 1000;
  EXPECT_TRUE(task.RunRoot(node)) << task.status();
  partition_->Commit();
  Set("c", 3);
  const SavedPart changed{SaveNow(1000), 3000};
  EXPECT_THAT(*Read({all, changed}),
              ElementsAre(Saved{"a", {1, 0}}, Saved{"b", {2, 1000}}, Saved{"c", {3, 2000}}));
}

// -- UpdateStateByKey calls its function for every key; few of them change -----------------------

struct CountUp {
  std::optional<int> operator()(string_view /*key*/, std::span<const int> values,
                                std::optional<int> state) const {
    if (!values.empty() && values[0] < 0) return std::nullopt;
    return state.value_or(0) + static_cast<int>(values.size());
  }
};

TEST_F(SavedStateTest, OfAStateThatAllBatchesUpdateOnlyWhatChangedIsSaved) {
  using Update = UpdateStateOperator<string_view, int, int, CountUp>;
  using LoadPlain = SavedStateOperator<string_view, int, false>;
  const auto update = [&](const std::vector<std::pair<string, int>>& records, int64_t since_ms) {
    now_ms_ += 1000;
    const string directory = dir_.path() + "/" + std::to_string(now_ms_);
    LocalFileSystem fs;
    EXPECT_TRUE(fs.CreateDirs(directory).ok());
    FakeTask task(kPartition);
    FakeNode& feed = task.Feed<std::pair<string_view, int>>({records});
    FakeNode& hashed = task.Node<AddHashOperator<string_view, int>>({}, {&feed});
    FakeNode& node = task.Node<Update>(EncodeFunctions(CountUp()), {&hashed});
    node.state = &partition_;
    node.batch_time = now_ms_;
    node.snapshot_path = directory;
    node.snapshot_since = since_ms;
    EXPECT_TRUE(task.RunRoot(node)) << task.status();
    partition_->Commit();
    return SavedPart{directory + "/part-00002", now_ms_};
  };
  const SavedPart all = update({{"a", 1}, {"b", 1}, {"c", 1}}, -1);
  const SavedPart changed = update({{"b", 1}, {"c", -1}}, 1000);
  const SavedPart same = update({}, 2000);
  EXPECT_THAT(BytesOf(changed.path), ::testing::SizeIs(36 + 16 + 7 + 3 + 16));
  EXPECT_THAT(BytesOf(same.path), ::testing::SizeIs(36 + 16));
  Encoder split;
  Encode(split, SavedPartition{kPartition, {all, changed, same}});
  FakeTask task;
  FakeNode& node = task.Node<LoadPlain>();
  node.split = split.ToString();
  EXPECT_THAT((task.Run<std::pair<string_view, int>>(node)),
              ::testing::UnorderedElementsAre(std::pair<string, int>("a", 1),
                                              std::pair<string, int>("b", 2)));
}

}  // namespace
}  // namespace millrace::internal
