#include "driver/checkpoint/checkpoint_store.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "common/fs/file_util.h"
#include "common/fs/path.h"
#include "driver/checkpoint/checkpoint_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class CheckpointStoreTest : public ::testing::Test {
 protected:
  static proto::Checkpoint At(int64_t time_ms, const std::string& state_path = "") {
    proto::Checkpoint checkpoint;
    checkpoint.set_last_time_ms(time_ms);
    if (!state_path.empty()) checkpoint.add_states()->set_path(state_path);
    return checkpoint;
  }

  void Write(CheckpointStore& store, const proto::Checkpoint& checkpoint) {
    const absl::Status status = store.Write(checkpoint);
    ASSERT_TRUE(status.ok()) << status;
  }

  void MakeState(const std::string& name) {
    const std::string path = "/app/state/" + name;
    ASSERT_TRUE(fs_.CreateDirs(path).ok());
    ASSERT_TRUE(WriteFileAtomically(fs_, path + "/part-00000", "records").ok());
  }

  std::vector<std::string> NamesIn(const std::string& dir) {
    std::vector<std::string> names;
    const auto files = fs_.List(dir);
    EXPECT_TRUE(files.ok()) << files.status();
    for (const FileInfo& file : *files) {
      if (!absl::StartsWith(file.name, "owner-")) names.push_back(file.name);
    }
    return names;
  }

  MemoryFileSystem fs_;
  CheckpointStore store_{fs_, "/app"};
};

TEST_F(CheckpointStoreTest, NothingIsThereBeforeTheFirstWrite) {
  const auto latest = store_.ReadLatest();
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_FALSE(latest->has_value());
}

TEST_F(CheckpointStoreTest, TheNewestIsReadAndThreeAreKept) {
  ASSERT_TRUE(store_.Open().ok());
  // The clock may go back: the newest is the one that was written last.
  for (const int64_t time_ms : {1000, 2000, 9000, 4000, 3000}) Write(store_, At(time_ms));
  const auto latest = CheckpointStore(fs_, "/app").ReadLatest();
  ASSERT_TRUE(latest.ok()) << latest.status();
  ASSERT_TRUE(latest->has_value());
  EXPECT_EQ((*latest)->last_time_ms(), 3000);
  EXPECT_THAT(NamesIn("/app"),
              UnorderedElementsAre("checkpoint-3", "checkpoint-4", "checkpoint-5", "state"));
}

TEST_F(CheckpointStoreTest, ANewStoreGoesOnBehindTheOld) {
  ASSERT_TRUE(store_.Open().ok());
  Write(store_, At(1000));
  CheckpointStore next(fs_, "/app");
  ASSERT_TRUE(next.Open().ok());
  Write(next, At(2000));
  EXPECT_THAT(NamesIn("/app"), UnorderedElementsAre("checkpoint-1", "checkpoint-2", "state"));
  EXPECT_EQ((*next.ReadLatest())->last_time_ms(), 2000);
}

// A driver that was taken for dead, or a program that was started twice.
TEST_F(CheckpointStoreTest, AStoreThatWasOvertakenWritesAndRemovesNothing) {
  ASSERT_TRUE(store_.Open().ok());
  MakeState("a-1");
  for (const int64_t time_ms : {1000, 2000, 3000}) Write(store_, At(time_ms, "state/a-1"));
  CheckpointStore next(fs_, "/app");
  ASSERT_TRUE(next.Open().ok());
  ASSERT_TRUE(next.TakeOver().ok());
  MakeState("a-2");
  Write(next, At(4000, "state/a-2"));
  const std::vector<std::string> names = NamesIn("/app");
  for (int i = 0; i < 2; ++i) {
    const absl::Status late = store_.Write(At(3500, "state/a-2"));
    EXPECT_EQ(late.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(late.message(), HasSubstr("another driver writes its checkpoints into '/app'"));
  }
  EXPECT_EQ(NamesIn("/app"), names);
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre("a-1", "a-2"));
  Write(next, At(5000, "state/a-2"));
  EXPECT_EQ((*next.ReadLatest())->last_time_ms(), 5000);
}

// What it would go on from is not what there was when it read.
TEST_F(CheckpointStoreTest, AStoreThatHasNotReadTheNewestWritesNothing) {
  ASSERT_TRUE(store_.Open().ok());
  Write(store_, At(1000));
  CheckpointStore next(fs_, "/app");
  ASSERT_TRUE(next.Open().ok());
  Write(store_, At(2000));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(next.Write(At(1500)).code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ((*next.ReadLatest())->last_time_ms(), 2000);
  EXPECT_FALSE(store_.Write(At(2500)).ok()) << "it has been overtaken";
  CheckpointStore third(fs_, "/app");
  ASSERT_TRUE(third.Open().ok());
  Write(third, At(3000));
  EXPECT_EQ((*third.ReadLatest())->last_time_ms(), 3000);
}

TEST_F(CheckpointStoreTest, StatesGoWithTheLastCheckpointThatNamesThem) {
  ASSERT_TRUE(store_.Open().ok());
  MakeState("a-1");
  Write(store_, At(1000, "state/a-1"));
  MakeState("a-2");
  for (const int64_t time_ms : {2000, 3000}) Write(store_, At(time_ms, "state/a-2"));
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre("a-1", "a-2"));
  // A store that knows of the older checkpoints from their files alone.
  CheckpointStore next(fs_, "/app");
  ASSERT_TRUE(next.Open().ok());
  Write(next, At(4000, "state/a-2"));
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre("a-2"));
}

TEST_F(CheckpointStoreTest, AllThatASavedStateBuildsOnStaysWithIt) {
  const auto at = [](int64_t time_ms, const std::vector<std::string>& paths) {
    proto::Checkpoint checkpoint = At(time_ms);
    proto::StateCheckpoint& state = *checkpoint.add_states();
    for (const std::string& path : paths) state.add_saved()->set_path("state/" + path);
    return checkpoint;
  };
  ASSERT_TRUE(store_.Open().ok());
  for (const char* const name : {"a-1", "a-2", "a-3", "a-4"}) MakeState(name);
  Write(store_, at(1000, {"a-1"}));
  Write(store_, at(2000, {"a-1", "a-2"}));
  for (const int64_t time_ms : {3000, 4000, 5000})
    Write(store_, at(time_ms, {"a-1", "a-2", "a-3"}));
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre("a-1", "a-2", "a-3", "a-4"));
  for (const int64_t time_ms : {6000, 7000}) Write(store_, at(time_ms, {"a-4"}));
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre("a-1", "a-2", "a-3", "a-4"));
  CheckpointStore next(fs_, "/app");
  ASSERT_TRUE(next.Open().ok());
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre("a-1", "a-2", "a-3", "a-4"));
  Write(next, at(8000, {"a-4"}));
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre("a-4"));
}

TEST_F(CheckpointStoreTest, NoStateGoesWhileAnOlderCheckpointCannotBeRead) {
  ASSERT_TRUE(store_.Open().ok());
  MakeState("a-1");
  for (const int64_t time_ms : {1000, 2000}) Write(store_, At(time_ms, "state/a-1"));
  ASSERT_TRUE(WriteFileAtomically(fs_, "/app/checkpoint-2", "garbage").ok());
  CheckpointStore next(fs_, "/app");
  ASSERT_TRUE(next.Open().ok());
  for (const int64_t time_ms : {3000, 4000}) Write(next, At(time_ms));
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre("a-1"));
  // It is gone by now, and with the next run so is what nobody names.
  Write(next, At(5000));
  CheckpointStore last(fs_, "/app");
  ASSERT_TRUE(last.Open().ok());
  ASSERT_TRUE(last.TakeOver().ok());
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre());
}

TEST_F(CheckpointStoreTest, AStateThatIsNotNamedYetStays) {
  ASSERT_TRUE(store_.Open().ok());
  MakeState("a-1");
  for (const int64_t time_ms : {1000, 2000}) Write(store_, At(time_ms, "state/a-1"));
  MakeState("a-2");  // Another thread is about to write the checkpoint that names it.
  for (const int64_t time_ms : {3000, 4000, 5000}) Write(store_, At(time_ms));
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre("a-2"));
}

TEST_F(CheckpointStoreTest, WhatWasCutOffIsRemovedByTheNextRun) {
  ASSERT_TRUE(store_.Open().ok());
  MakeState("a-2");
  Write(store_, At(2000, "state/a-2"));
  MakeState(".a-3.new.tmp");
  MakeState("a-3");
  CheckpointStore next(fs_, "/app");
  ASSERT_TRUE(next.Open().ok());
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre(".a-3.new.tmp", "a-2", "a-3"));
  ASSERT_TRUE(next.TakeOver().ok());
  EXPECT_THAT(NamesIn("/app/state"), ElementsAre("a-2"));
}

TEST_F(CheckpointStoreTest, ACorruptCheckpointIsAnErrorThatNamesTheLastGoodOne) {
  ASSERT_TRUE(store_.Open().ok());
  for (const int64_t time_ms : {1000, 2000}) Write(store_, At(time_ms));
  ASSERT_TRUE(WriteFileAtomically(fs_, "/app/checkpoint-2", std::string(100, 'x')).ok());
  const auto latest = store_.ReadLatest();
  EXPECT_EQ(latest.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(latest.status().message(), HasSubstr("'/app/checkpoint-2'"));
  EXPECT_THAT(latest.status().message(), HasSubstr("at offset 0"));
  EXPECT_THAT(latest.status().message(), HasSubstr("last good checkpoint, '/app/checkpoint-1'"));
  ASSERT_TRUE(fs_.Delete("/app/checkpoint-2").ok());
  EXPECT_EQ((*store_.ReadLatest())->last_time_ms(), 1000);
}

// What a checkpoint names is deleted when no checkpoint names it any more.
TEST_F(CheckpointStoreTest, ACheckpointWhoseStatesLieElsewhereIsCorruptAndNothingElseIsDeleted) {
  ASSERT_TRUE(fs_.CreateDirs("/elsewhere").ok());
  for (const std::string path : {"", "../elsewhere", "state", "state/", "state/..",
                                 "state/a/../../..", "checkpoint-3", "/elsewhere"}) {
    ASSERT_TRUE(fs_.DeleteRecursively("/app").ok());
    CheckpointStore store(fs_, "/app");
    ASSERT_TRUE(store.Open().ok());
    Write(store, At(1000));
    proto::Checkpoint wrong = At(2000);
    wrong.add_states()->add_saved()->set_path(path);
    ASSERT_TRUE(WriteFileAtomically(fs_, "/app/checkpoint-2", EncodeCheckpoint(wrong)).ok());
    const auto latest = store.ReadLatest();
    EXPECT_EQ(latest.status().code(), absl::StatusCode::kDataLoss) << path;
    EXPECT_THAT(latest.status().message(), HasSubstr("'" + path + "'"));
    CheckpointStore next(fs_, "/app");
    ASSERT_TRUE(next.Open().ok());
    for (const int64_t time_ms : {3000, 4000, 5000, 6000}) Write(next, At(time_ms));
    EXPECT_THAT(NamesIn("/app"),
                UnorderedElementsAre("checkpoint-4", "checkpoint-5", "checkpoint-6", "state"));
    EXPECT_THAT(NamesIn("/"), ElementsAre("app", "elsewhere"));
  }
}

}  // namespace
}  // namespace millrace::internal
