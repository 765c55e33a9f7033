#include "executor/block/replica_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReplicaBookTest : public ::testing::Test {
 protected:
  absl::Status Add(int64_t worker, int64_t stream, int64_t sequence) {
    proto::StoredBlock block;
    block.mutable_id()->set_stream_id(stream);
    block.mutable_id()->set_sequence(sequence);
    return book_.Add(worker, std::move(block));
  }
  void Remove(int64_t stream, int64_t sequence) {
    proto::DropBlocks dropped;
    dropped.add_blocks()->set_stream_id(stream);
    dropped.mutable_blocks(0)->set_sequence(sequence);
    book_.Remove(dropped);
  }
  // "stream: sequences" of each report.
  std::vector<std::string> GiveUp(int64_t worker) {
    std::vector<std::string> texts;
    for (const proto::BlockReport& report : book_.GiveUp(worker)) {
      std::string text = std::to_string(report.stream_id()) + ":";
      for (const auto& block : report.blocks()) text += " " + std::to_string(block.id().sequence());
      texts.push_back(text);
    }
    return texts;
  }

  ReplicaBook book_;
};

TEST_F(ReplicaBookTest, ReportsALostWorkersBlocksInOrder) {
  for (const int64_t sequence : {3, 1, 2}) EXPECT_TRUE(Add(1, 7, sequence).ok());
  EXPECT_TRUE(Add(1, 5, 9).ok());
  EXPECT_TRUE(Add(2, 7, 4).ok());
  Remove(7, 2);
  Remove(8, 8);  // No copy of another worker's.
  EXPECT_THAT(GiveUp(1), ElementsAre("5: 9", "7: 1 3"));
  EXPECT_THAT(GiveUp(1), IsEmpty());
  EXPECT_THAT(GiveUp(2), ElementsAre("7: 4"));
}

TEST_F(ReplicaBookTest, WhatWasDroppedDoesNotComeBack) {
  Remove(7, 1);
  EXPECT_EQ(Add(1, 7, 1).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Add(1, 7, 2).ok());
  EXPECT_THAT(GiveUp(1), ElementsAre("7: 2"));
}

TEST_F(ReplicaBookTest, AWorkerThatWasGivenUpGetsNoCopies) {
  EXPECT_THAT(GiveUp(1), IsEmpty());
  EXPECT_EQ(Add(1, 7, 1).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(GiveUp(1), IsEmpty());
}

}  // namespace
}  // namespace millrace::internal
