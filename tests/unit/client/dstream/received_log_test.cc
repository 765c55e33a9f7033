#include "client/dstream/received_log.h"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/dstream/received_log_cleaner.h"
#include "common/log/block_log.h"
#include "common/log/segment_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/checkpoint.pb.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int64_t kStream = 3;

// A driver after the other, each with its own run.
class ReceivedLogTest : public ::testing::Test {
 protected:
  ReceivedLogTest() { EXPECT_TRUE(fs_.CreateDirs("/checkpoint").ok()); }

  LoggingRuns Begin() {
    const auto runs = BeginLogging(fs_, "/checkpoint", /*logs=*/true);
    EXPECT_TRUE(runs.ok()) << runs.status();
    EXPECT_EQ(SealEarlier(fs_, *runs), absl::OkStatus());
    return *runs;
  }
  static ReceivedLog LogOf(const LoggingRuns& runs) { return ReceivedLog(runs, "words"); }

  // What the receiver's worker does; returns the block as it is reported.
  ReceivedBlock LogBlock(const ReceivedLog& log, int64_t start, int64_t number, int64_t segment) {
    const std::string directory = log.directory() + "/" + std::to_string(start);
    EXPECT_TRUE(fs_.CreateDirs(directory).ok());
    auto writer = SegmentWriter::Create(fs_, directory, segment);
    EXPECT_TRUE(writer.ok()) << writer.status();
    ReceivedBlock block;
    block.id = {kStream, (start << 32) + number};
    proto::StoredBlock stored;
    stored.mutable_id()->set_sequence(block.id.sequence);
    const auto place = writer->Append(EncodeLoggedBlock(stored, {Buffer::CopyOf("x")}));
    EXPECT_TRUE(place.ok() && writer->Finish().ok());
    block.log_place = BlockLogPlace{directory, place->segment, place->offset, place->size_bytes};
    return block;
  }
  static std::vector<int64_t> Sequences(const std::vector<ReceivedBlock>& blocks) {
    std::vector<int64_t> sequences;
    for (const ReceivedBlock& block : blocks) sequences.push_back(block.id.sequence);
    return sequences;
  }
  // What the next driver finds in no batch, if this is the last checkpoint.
  std::vector<int64_t> FoundAfter(const proto::ReceivedLog& saved) {
    next_ = LogOf(Begin());
    EXPECT_TRUE(next_.Restore(saved).ok());
    const auto found = next_.ReadEarlier(fs_, kStream, /*recovers=*/true);
    EXPECT_TRUE(found.ok()) << found.status();
    return Sequences(*found);
  }
  static proto::ReceivedLog Save(ReceivedLog& log, const ReceivedLog::Batches& batches) {
    proto::ReceivedLog saved;
    log.Save(batches, saved);
    return saved;
  }
  static int64_t Sequence(int64_t start, int64_t number) { return (start << 32) + number; }

  MemoryFileSystem fs_;
  ReceivedLog next_;
};

// A program that looks at the logs and is refused.
TEST_F(ReceivedLogTest, OnlyADriverThatGoesOnSealsTheLogsOfOthers) {
  const LoggingRuns own = Begin();
  const auto other = BeginLogging(fs_, "/checkpoint", /*logs=*/true);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE(other->own, own.own);
  EXPECT_FALSE(*fs_.Exists(own.SealOf(own.own)));
  ASSERT_TRUE(SealEarlier(fs_, *other).ok());
  EXPECT_TRUE(*fs_.Exists(own.SealOf(own.own)));
}

TEST_F(ReceivedLogTest, WhatIsBehindTheLastAssignedBlockIsFound) {
  ReceivedLog log = LogOf(Begin());
  const ReceivedBlock first = LogBlock(log, 0, 0, 1);
  LogBlock(log, 0, 1, 2);
  LogBlock(log, 0, 2, 3);
  log.Assign({first});
  const proto::ReceivedLog saved = Save(log, {{Time(1000), {first}}});
  EXPECT_THAT(FoundAfter(saved), ElementsAre(Sequence(0, 1), Sequence(0, 2)));
  EXPECT_EQ(next_.first_sequence(), Sequence(1, 0));
}

TEST_F(ReceivedLogTest, AFileThatIsMissingIsNamed) {
  ReceivedLog log = LogOf(Begin());
  std::vector<ReceivedBlock> blocks;
  for (int64_t i = 0; i < 6; ++i) blocks.push_back(LogBlock(log, 0, i, i + 1));
  log.Assign({blocks[0], blocks[1], blocks[2]});
  const ReceivedLog::Batches batches = {{Time(1000), {blocks[1]}}};
  const proto::ReceivedLog saved = Save(log, batches);
  const auto missing = [&] {
    ReceivedLog next = LogOf(Begin());
    EXPECT_TRUE(next.Restore(saved).ok());
    const auto files = next.MissingSegments(fs_, batches);
    EXPECT_TRUE(files.ok()) << files.status();
    return *files;
  };
  const auto file = [&](int64_t segment) { return log.directory() + "/0/" + SegmentName(segment); };
  EXPECT_THAT(missing(), IsEmpty());
  ASSERT_TRUE(fs_.Delete(file(1)).ok());  // Nobody needs it.
  EXPECT_THAT(missing(), IsEmpty());
  ASSERT_TRUE(fs_.Delete(file(5)).ok());  // In front of one that is there.
  EXPECT_THAT(missing(), ElementsAre(file(5)));
  ASSERT_TRUE(fs_.Delete(file(2)).ok());  // Of the batch.
  ASSERT_TRUE(fs_.Delete(file(3)).ok());  // Of the last one that was assigned.
  EXPECT_THAT(missing(), ElementsAre(file(2), file(3), file(5)));
  ASSERT_TRUE(fs_.DeleteRecursively(log.directory()).ok());
  EXPECT_THAT(missing(), ElementsAre(file(2), file(3)));
}

TEST_F(ReceivedLogTest, ANumberThatCannotBeMakesNoLongList) {
  ReceivedLog log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  LogBlock(log, 0, 1, INT64_MAX);
  const auto missing = LogOf(Begin()).MissingSegments(fs_, {});
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_THAT(*missing, ElementsAre(log.directory() + "/0/" + SegmentName(2)));
}

TEST_F(ReceivedLogTest, WithoutACheckpointEverythingIsFound) {
  ReceivedLog log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  LogBlock(log, 1, 0, 1);
  EXPECT_THAT(FoundAfter({}), ElementsAre(Sequence(0, 0), Sequence(1, 0)));
}

// A receiver that was started and lost before anybody heard of a block of it.
TEST_F(ReceivedLogTest, AStartThatWasPassedOverIsNotForgotten) {
  ReceivedLog log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  const ReceivedBlock later = LogBlock(log, 1, 0, 1);
  log.Assign({later});
  EXPECT_THAT(FoundAfter(Save(log, {{Time(1000), {later}}})), ElementsAre(Sequence(0, 0)));
}

TEST_F(ReceivedLogTest, AStartThatHasEndedIsDoneWhenNoBatchReadsIt) {
  ReceivedLog log = LogOf(Begin());
  const ReceivedBlock block = LogBlock(log, 0, 0, 1);
  log.End({0});
  log.Assign({block});
  proto::ReceivedLog saved = Save(log, {{Time(1000), {block}}});
  ASSERT_EQ(saved.starts_size(), 1);
  EXPECT_TRUE(saved.starts(0).is_ended());
  EXPECT_EQ(log.Needed({{Time(1000), {block}}}).size(), 1u);
  saved = Save(log, {});
  EXPECT_EQ(saved.starts_size(), 0);
  EXPECT_EQ(saved.end_start(), 1);
  EXPECT_THAT(log.Needed({}), IsEmpty());
  EXPECT_THAT(FoundAfter(saved), IsEmpty());
}

TEST_F(ReceivedLogTest, WhatIsExpectedKeepsItsStart) {
  ReceivedLog log = LogOf(Begin());
  const ReceivedBlock block = LogBlock(log, 0, 0, 1);
  log.End({0});
  const ReceivedLog before = log;
  log.Assign({block});
  // The batch could not be saved.
  log = before;
  log.Expect({block});
  EXPECT_EQ(log.Needed({}).size(), 1u);
  EXPECT_THAT(FoundAfter(Save(log, {})), ElementsAre(Sequence(0, 0)));
}

// The driver that has found it is killed as well, before a batch has it.
TEST_F(ReceivedLogTest, WhatWasFoundIsFoundAgainUntilABatchHasIt) {
  ReceivedLog log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  ASSERT_THAT(FoundAfter({}), ElementsAre(Sequence(0, 0)));
  ReceivedLog second = next_;
  ASSERT_THAT(FoundAfter(Save(second, {})), ElementsAre(Sequence(0, 0)));
  ReceivedLog third = next_;
  ReceivedBlock block;
  block.id = {kStream, Sequence(0, 0)};
  block.log_place = BlockLogPlace{log.directory() + "/0", 1, 24, 40};
  third.Assign({block});
  EXPECT_THAT(FoundAfter(Save(third, {})), IsEmpty());
}

TEST_F(ReceivedLogTest, ARunThatRecoversNothingReadsNothing) {
  ReceivedLog log = LogOf(Begin());
  LogBlock(log, 4, 0, 1);
  ReceivedLog other = LogOf(Begin());
  const auto found = other.ReadEarlier(fs_, kStream, /*recovers=*/false);
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(*found, IsEmpty());
  EXPECT_EQ(other.first_sequence(), Sequence(5, 0));
  EXPECT_THAT(other.earlier_directories(), ElementsAre(log.directory() + "/4"));
}

TEST_F(ReceivedLogTest, EachDriverSealsThoseBeforeIt) {
  const LoggingRuns first = Begin();
  EXPECT_FALSE(*fs_.Exists(first.SealOf(first.own)));
  const LoggingRuns second = Begin();
  EXPECT_NE(first.own, second.own);
  EXPECT_THAT(second.earlier, ElementsAre(first.own));
  EXPECT_TRUE(*fs_.Exists(first.SealOf(first.own)));
  EXPECT_FALSE(*fs_.Exists(second.SealOf(second.own)));
}

TEST_F(ReceivedLogTest, SealsOfLongAgoAreRemoved) {
  for (int i = 0; i < 40; ++i) Begin();
  EXPECT_LE(Begin().earlier.size(), 17u);
}

TEST_F(ReceivedLogTest, ACheckpointThatContradictsItselfIsRefused) {
  ReceivedLog log = LogOf(Begin());
  proto::ReceivedLog saved;
  saved.set_end_start(1);
  saved.add_starts()->set_start(1);
  EXPECT_EQ(log.Restore(saved).code(), absl::StatusCode::kDataLoss);
  saved.set_end_start(int64_t{1} << 40);
  EXPECT_EQ(log.Restore(saved).code(), absl::StatusCode::kDataLoss);
  proto::InputBlock block;
  block.set_sequence(Sequence(7, 0));
  block.set_logged_bytes(10);
  EXPECT_EQ(log.RestoreBlock(kStream, block).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ReceivedLogTest, SegmentsGoWhenNoCheckpointThatIsKeptNeedsThem) {
  const ReceivedLog log = LogOf(Begin());
  for (int64_t segment = 1; segment <= 4; ++segment) LogBlock(log, 0, segment, segment);
  const std::string directory = log.directory() + "/0";
  ReceivedLogCleaner cleaner(fs_);
  const auto segments = [&] { return *ListSegments(fs_, directory); };
  for (int i = 0; i < 2; ++i) cleaner.CheckpointWritten({{directory, 3}});
  EXPECT_THAT(segments(), ElementsAre(1, 2, 3, 4)) << "older checkpoints are still there";
  cleaner.CheckpointWritten({{directory, 4}});
  EXPECT_THAT(segments(), ElementsAre(3, 4));
  for (int i = 0; i < 2; ++i) cleaner.CheckpointWritten({});
  EXPECT_THAT(segments(), ElementsAre(4));
  cleaner.CheckpointWritten({});
  EXPECT_THAT(fs_.AllPaths(), Not(Contains(HasSubstr(directory))));
}

TEST_F(ReceivedLogTest, TheSealOfALostWorkersLogStays) {
  const ReceivedLog log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  const std::string directory = log.directory() + "/0";
  const auto seal = fs_.OpenForWrite(directory + "/sealed", WriteMode::kCreateNew);
  ASSERT_TRUE(seal.ok());
  ReceivedLogCleaner cleaner(fs_);
  cleaner.CheckpointWritten({{directory, 1}});
  for (int i = 0; i < 3; ++i) cleaner.CheckpointWritten({});
  EXPECT_THAT(*ListSegments(fs_, directory), IsEmpty());
  EXPECT_TRUE(*fs_.Exists(directory + "/sealed"));
}

TEST_F(ReceivedLogTest, LogsOfEarlierDriversGoAsAWhole) {
  const ReceivedLog log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  ReceivedLog next = LogOf(Begin());
  ASSERT_TRUE(next.ReadEarlier(fs_, kStream, /*recovers=*/false).ok());
  ReceivedLogCleaner cleaner(fs_);
  cleaner.KnowEarlier(next.earlier_directories());
  for (int i = 0; i < 3; ++i) cleaner.CheckpointWritten({});
  EXPECT_THAT(fs_.AllPaths(), Not(Contains(HasSubstr(log.directory()))));
}

// Of a driver that logs nothing: workers alone have the blocks.
class BlocksOnWorkersTest : public ReceivedLogTest {
 protected:
  static ReceivedLog Books() {
    LoggingRuns runs;
    runs.root = "/checkpoint/receivedData";
    return ReceivedLog(runs, "words");
  }
  static ReceivedBlock Block(int64_t start, int64_t number) {
    ReceivedBlock block;
    block.id = {kStream, (start << 32) + number};
    return block;
  }
};

TEST_F(BlocksOnWorkersTest, WhatWorkersStillHaveAndNoBatchHadIsTakenOver) {
  ReceivedLog log = Books();
  const ReceivedLog::Batches batches = {{Time(1000), {Block(0, 1), Block(2, 0)}}};
  log.Assign(batches.begin()->second);
  const proto::ReceivedLog saved = Save(log, batches);
  ReceivedLog next = Books();
  ASSERT_TRUE(next.Restore(saved).ok());
  proto::InputBlock block;
  ReceivedLog::SaveBlock(Block(2, 0), block);
  const auto restored = next.RestoreBlock(kStream, block);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->id.sequence, Block(2, 0).id.sequence);
  EXPECT_FALSE(restored->log_place.has_value());
  // Of starts that the checkpoint knows, of one between them, and of a later one.
  const std::vector<ReceivedBlock> held = {Block(0, 0), Block(0, 1), Block(0, 2), Block(1, 0),
                                           Block(2, 0), Block(2, 1), Block(5, 0)};
  EXPECT_THAT(Sequences(next.TakeOver(held, 7)),
              ElementsAre(Block(0, 2).id.sequence, Block(1, 0).id.sequence, Block(2, 1).id.sequence,
                          Block(5, 0).id.sequence));
  EXPECT_EQ(next.first_sequence(), int64_t{7} << 32) << "a receiver may run with number 6";
  const std::map<int64_t, int64_t> assigned = next.AssignedOnWorkers();
  EXPECT_EQ(assigned.at(0), Block(0, 1).id.sequence);
  EXPECT_EQ(assigned.at(1), -1);
  EXPECT_THAT(next.Needed({}), IsEmpty()) << "there are no logs";
}

TEST_F(BlocksOnWorkersTest, ANumberOfAWorkerMakesNoLongList) {
  ReceivedLog log = Books();
  constexpr int64_t kFar = int64_t{1} << 29;
  EXPECT_THAT(Sequences(log.TakeOver({Block(kFar, 1)}, kFar + 1)),
              ElementsAre(Block(kFar, 1).id.sequence));
  EXPECT_EQ(log.AssignedOnWorkers().size(), 64u);
  EXPECT_EQ(log.first_sequence(), (kFar + 1) << 32);
}

TEST_F(BlocksOnWorkersTest, StartsWithoutNumberAreNotKeptForEver) {
  ReceivedLog log = Books();
  for (int64_t start = 0; start < 1000; ++start) log.Assign({Block(start, 0)});
  const ReceivedLog::Batches batches = {{Time(1000), {Block(3, 0)}}};
  const proto::ReceivedLog saved = Save(log, batches);
  EXPECT_EQ(saved.starts_size(), 65) << "the last ones, and one that a batch reads";
  ReceivedLog next = Books();
  ASSERT_TRUE(next.Restore(saved).ok());
  EXPECT_THAT(Sequences(next.TakeOver({Block(3, 1), Block(4, 1), Block(999, 1)}, 1000)),
              ElementsAre(Block(3, 1).id.sequence, Block(999, 1).id.sequence));
}

}  // namespace
}  // namespace millrace::internal
