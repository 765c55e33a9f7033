#include "driver/receiver/received_before.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;

proto::StoredBlock Block(int64_t sequence, int64_t record_count = 7) {
  proto::StoredBlock block;
  block.mutable_id()->set_stream_id(3);
  block.mutable_id()->set_sequence(sequence);
  block.set_record_count(record_count);
  return block;
}

std::vector<int64_t> Sequences(const EarlierBlocks& described) {
  std::vector<int64_t> sequences;
  const auto blocks = described.blocks.find(3);
  if (blocks == described.blocks.end()) return sequences;
  for (const ReceivedBlock& block : blocks->second) sequences.push_back(block.id.sequence);
  return sequences;
}

TEST(ReceivedBeforeTest, EachBlockIsThereOnceInOrderAsWhoKnowsMostSays) {
  ReceivedBefore before;
  proto::WorkerHello copies;
  *copies.add_blocks() = Block(2, /*record_count=*/-1);
  before.Add(2, copies);
  proto::WorkerHello hello;
  *hello.add_blocks() = Block(2);
  *hello.add_blocks() = Block(1);
  hello.add_receivers()->mutable_start()->set_stream_id(3);
  hello.mutable_receivers(0)->mutable_start()->set_first_sequence(int64_t{5} << 32);
  before.Add(1, hello);
  proto::BlockReport report;
  *report.add_blocks() = Block(4);
  before.Add(1, report);
  const EarlierBlocks described = before.Describe();
  EXPECT_THAT(Sequences(described), ElementsAre(1, 2, 4));
  EXPECT_EQ(described.blocks.at(3)[1].record_count, 7);
  EXPECT_EQ(described.end_start.at(3), 6);
  EXPECT_EQ(before.blocks().size(), 4u) << "one for each worker that has it";

  before.ReceiverStopped(1, 3);
  EXPECT_TRUE(before.receivers().empty());
  before.WorkerLost(1);
  EXPECT_THAT(Sequences(before.Describe()), ElementsAre(2));
}

TEST(ReceivedBeforeTest, NumbersThatCannotBeArePassedOver) {
  ReceivedBefore before;
  proto::WorkerHello hello;
  for (const int64_t sequence : {int64_t{-1}, INT64_MAX, int64_t{1} << 62}) {
    *hello.add_blocks() = Block(sequence);
    hello.add_receivers()->mutable_start()->set_first_sequence(sequence);
  }
  before.Add(1, hello);
  EXPECT_TRUE(before.blocks().empty());
  EXPECT_TRUE(before.receivers().empty());
  EXPECT_TRUE(before.Describe().end_start.empty());
}

}  // namespace
}  // namespace millrace::internal
