#include "driver/block/block_copies.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scripted_workers.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class BlockCopiesTest : public ::testing::Test {
 protected:
  BlockCopiesTest() { copies_.AddStream(0, StorageLevel::kMemoryAndDisk2); }

  void AddWorker(int64_t id, const std::string& host = "host") {
    proto::WorkerHello hello;
    hello.set_host(host);
    hello.set_task_slots(1);
    hello.set_peer_address(absl::StrCat(host, ":", id));
    workers_.Add(id, hello);
    copies_.WorkerAdded();
  }
  void LoseWorker(int64_t id) {
    workers_.Remove(id);
    locations_.ForgetWorker(id);
    copies_.WorkerLost(id);
  }
  // What was asked for since the last call: "3 from 1: 0 1 2".
  std::vector<std::string> Asked() {
    std::vector<std::string> asked;
    for (const SentMessage& sent : transport_.sent()) {
      if (!sent.message.has_copy_blocks()) continue;
      std::string text =
          absl::StrCat(sent.worker_id, " from ", sent.message.copy_blocks().holder(), ":");
      for (const proto::BlockId& id : sent.message.copy_blocks().blocks()) {
        absl::StrAppend(&text, " ", id.sequence());
      }
      asked.push_back(std::move(text));
    }
    transport_.ClearSent();
    return asked;
  }
  void Answer(int64_t worker_id, const std::vector<int64_t>& sequences) {
    proto::BlocksCopied copied;
    for (const int64_t sequence : sequences) copied.add_blocks()->set_sequence(sequence);
    copies_.HandleCopied(worker_id, copied);
  }

  ScriptedWorkers transport_;
  WorkerRegistry workers_{transport_, 1};
  BlockLocations locations_;
  BlockCopies copies_{workers_, locations_};
};

TEST_F(BlockCopiesTest, WhatALostWorkerHadIsCopiedFromTheOther) {
  for (int64_t id = 1; id <= 3; ++id) AddWorker(id);
  for (int64_t block = 0; block < 3; ++block) {
    locations_.Add({0, block}, 1);
    locations_.Add({0, block}, 2);
  }
  LoseWorker(2);
  EXPECT_THAT(Asked(), ElementsAre("3 from 1: 0 1 2"));
  Answer(3, {0, 1, 2});
  EXPECT_THAT(locations_.HoldersOf({0, 1}), UnorderedElementsAre(1, 3));
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(BlockCopiesTest, TheyWaitForAWorkerToComeIfThereIsNoOther) {
  AddWorker(1);
  AddWorker(2);
  locations_.Add({0, 0}, 1);
  locations_.Add({0, 0}, 2);
  LoseWorker(1);
  EXPECT_THAT(Asked(), IsEmpty());
  AddWorker(3);
  EXPECT_THAT(Asked(), ElementsAre("3 from 2: 0"));
}

TEST_F(BlockCopiesTest, StreamsWithOneCopyHaveOne) {
  AddWorker(1);
  locations_.Add({7, 0}, 1);
  AddWorker(2);
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(BlockCopiesTest, AnotherHostComesFirst) {
  AddWorker(1, "here");
  AddWorker(2, "here");
  locations_.Add({0, 0}, 1);
  AddWorker(3, "there");
  EXPECT_THAT(Asked(), ElementsAre("3 from 1: 0"));
}

TEST_F(BlockCopiesTest, SoManyAreUnderWayAtOnceToAWorker) {
  AddWorker(1);
  for (int64_t block = 0; block < 100; ++block) locations_.Add({0, block}, 1);
  AddWorker(2);
  ASSERT_THAT(transport_.sent(), SizeIs(1));
  std::vector<int64_t> first;
  for (const proto::BlockId& id : transport_.sent()[0].message.copy_blocks().blocks()) {
    first.push_back(id.sequence());
  }
  EXPECT_THAT(first, SizeIs(64));
  transport_.ClearSent();
  Answer(2, first);
  ASSERT_THAT(transport_.sent(), SizeIs(1));
  EXPECT_EQ(transport_.sent()[0].message.copy_blocks().blocks_size(), 36);
}

// An answer does not say which request it is of.
TEST_F(BlockCopiesTest, AWorkerIsAskedAgainWhenItHasAnswered) {
  copies_.AddStream(1, StorageLevel::kMemoryAndDisk2);
  AddWorker(1);
  locations_.Add({0, 0}, 1);
  locations_.Add({1, 5}, 1);
  AddWorker(2);
  EXPECT_THAT(Asked(), ElementsAre("2 from 1: 0"));
  Answer(2, {0});
  EXPECT_THAT(Asked(), ElementsAre("2 from 1: 5"));
  EXPECT_THAT(locations_.HoldersOf({0, 0}), UnorderedElementsAre(1, 2));
}

TEST_F(BlockCopiesTest, WhatCouldNotBeCopiedIsTriedAgainWhenWorkersChange) {
  AddWorker(1);
  locations_.Add({0, 0}, 1);
  AddWorker(2);
  EXPECT_THAT(Asked(), ElementsAre("2 from 1: 0"));
  Answer(2, {});
  EXPECT_THAT(Asked(), IsEmpty());
  AddWorker(3);
  EXPECT_THAT(Asked(), ElementsAre("2 from 1: 0"));
}

TEST_F(BlockCopiesTest, WhatWasDroppedMeanwhileIsDroppedThereToo) {
  AddWorker(1);
  locations_.Add({0, 0}, 1);
  AddWorker(2);
  locations_.Drop({0, 0});
  transport_.ClearSent();
  Answer(2, {0});
  ASSERT_THAT(transport_.sent(), SizeIs(1));
  EXPECT_EQ(transport_.sent()[0].worker_id, 2);
  EXPECT_EQ(transport_.sent()[0].message.drop_blocks().blocks(0).sequence(), 0);
  EXPECT_FALSE(locations_.IsKnown({0, 0}));
}

TEST_F(BlockCopiesTest, AnAnswerThatNobodyAskedForChangesNothing) {
  AddWorker(1);
  AddWorker(2);
  locations_.Add({0, 0}, 1);
  locations_.Add({0, 0}, 2);
  Answer(2, {0, 5});
  Answer(9, {0});
  EXPECT_THAT(locations_.HoldersOf({0, 0}), UnorderedElementsAre(1, 2));
  EXPECT_FALSE(locations_.IsKnown({0, 5}));
}

}  // namespace
}  // namespace millrace::internal
