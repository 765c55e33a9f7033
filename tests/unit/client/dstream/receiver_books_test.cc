#include "client/dstream/receiver_books.h"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
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
using ::testing::Pair;

constexpr int64_t kStream = 3;

// A driver after the other, each with its own run.
class ReceiverBooksTest : public ::testing::Test {
 protected:
  ReceiverBooksTest() { EXPECT_TRUE(fs_.CreateDirs("/checkpoint").ok()); }

  LoggingRuns Begin() {
    const auto runs = BeginLogging(fs_, "/checkpoint", /*logs=*/true);
    EXPECT_TRUE(runs.ok()) << runs.status();
    EXPECT_EQ(SealEarlier(fs_, *runs), absl::OkStatus());
    return *runs;
  }
  static ReceiverBooks LogOf(const LoggingRuns& runs) { return ReceiverBooks(runs, "words"); }

  // What the receiver's worker does; returns the block as it is reported.
  ReceivedBlock LogBlock(const ReceiverBooks& log, int64_t start, int64_t number, int64_t segment) {
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
  std::vector<int64_t> FoundAfter(const proto::ReceiverBooks& saved) {
    next_ = LogOf(Begin());
    EXPECT_TRUE(next_.Restore(saved).ok());
    const auto found = next_.ReadEarlier(fs_, kStream, /*recovers=*/true);
    EXPECT_TRUE(found.ok()) << found.status();
    return Sequences(*found);
  }
  static proto::ReceiverBooks Save(ReceiverBooks& log, const ReceiverBooks::Batches& batches) {
    proto::ReceiverBooks saved;
    log.Save(batches, saved);
    return saved;
  }
  static int64_t Sequence(int64_t start, int64_t number) { return (start << 32) + number; }

  MemoryFileSystem fs_;
  ReceiverBooks next_;
};

// A program that looks at the logs and is refused.
TEST_F(ReceiverBooksTest, OnlyADriverThatGoesOnSealsTheLogsOfOthers) {
  const LoggingRuns own = Begin();
  const auto other = BeginLogging(fs_, "/checkpoint", /*logs=*/true);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE(other->own, own.own);
  EXPECT_FALSE(*fs_.Exists(own.SealOf(own.own)));
  ASSERT_TRUE(SealEarlier(fs_, *other).ok());
  EXPECT_TRUE(*fs_.Exists(own.SealOf(own.own)));
}

TEST_F(ReceiverBooksTest, WhatIsBehindTheLastAssignedBlockIsFound) {
  ReceiverBooks log = LogOf(Begin());
  const ReceivedBlock first = LogBlock(log, 0, 0, 1);
  LogBlock(log, 0, 1, 2);
  LogBlock(log, 0, 2, 3);
  log.Assign({first});
  const proto::ReceiverBooks saved = Save(log, {{Time(1000), {first}}});
  EXPECT_THAT(FoundAfter(saved), ElementsAre(Sequence(0, 1), Sequence(0, 2)));
  EXPECT_EQ(next_.first_sequence(), Sequence(1, 0));
}

TEST_F(ReceiverBooksTest, AFileThatIsMissingIsNamed) {
  ReceiverBooks log = LogOf(Begin());
  std::vector<ReceivedBlock> blocks;
  for (int64_t i = 0; i < 6; ++i) blocks.push_back(LogBlock(log, 0, i, i + 1));
  log.Assign({blocks[0], blocks[1], blocks[2]});
  const ReceiverBooks::Batches batches = {{Time(1000), {blocks[1]}}};
  const proto::ReceiverBooks saved = Save(log, batches);
  const auto missing = [&] {
    ReceiverBooks next = LogOf(Begin());
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

TEST_F(ReceiverBooksTest, ANumberThatCannotBeMakesNoLongList) {
  ReceiverBooks log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  LogBlock(log, 0, 1, INT64_MAX);
  const auto missing = LogOf(Begin()).MissingSegments(fs_, {});
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_THAT(*missing, ElementsAre(log.directory() + "/0/" + SegmentName(2)));
}

TEST_F(ReceiverBooksTest, WithoutACheckpointEverythingIsFound) {
  ReceiverBooks log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  LogBlock(log, 1, 0, 1);
  EXPECT_THAT(FoundAfter({}), ElementsAre(Sequence(0, 0), Sequence(1, 0)));
}

// A receiver that was started and lost before anybody heard of a block of it.
TEST_F(ReceiverBooksTest, AStartThatWasPassedOverIsNotForgotten) {
  ReceiverBooks log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  const ReceivedBlock later = LogBlock(log, 1, 0, 1);
  log.Assign({later});
  EXPECT_THAT(FoundAfter(Save(log, {{Time(1000), {later}}})), ElementsAre(Sequence(0, 0)));
}

TEST_F(ReceiverBooksTest, AStartThatHasEndedIsDoneWhenNoBatchReadsIt) {
  ReceiverBooks log = LogOf(Begin());
  const ReceivedBlock block = LogBlock(log, 0, 0, 1);
  log.End({0});
  log.Assign({block});
  proto::ReceiverBooks saved = Save(log, {{Time(1000), {block}}});
  ASSERT_EQ(saved.starts_size(), 1);
  EXPECT_TRUE(saved.starts(0).is_ended());
  EXPECT_EQ(log.Needed({{Time(1000), {block}}}).size(), 1u);
  saved = Save(log, {});
  EXPECT_EQ(saved.starts_size(), 0);
  EXPECT_EQ(saved.end_start(), 1);
  EXPECT_THAT(log.Needed({}), IsEmpty());
  EXPECT_THAT(FoundAfter(saved), IsEmpty());
}

TEST_F(ReceiverBooksTest, WhatIsExpectedKeepsItsStart) {
  ReceiverBooks log = LogOf(Begin());
  const ReceivedBlock block = LogBlock(log, 0, 0, 1);
  log.End({0});
  const ReceiverBooks before = log;
  log.Assign({block});
  // The batch could not be saved.
  log = before;
  log.Expect({block});
  EXPECT_EQ(log.Needed({}).size(), 1u);
  EXPECT_THAT(FoundAfter(Save(log, {})), ElementsAre(Sequence(0, 0)));
}

// The driver that has found it is killed as well, before a batch has it.
TEST_F(ReceiverBooksTest, WhatWasFoundIsFoundAgainUntilABatchHasIt) {
  ReceiverBooks log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  ASSERT_THAT(FoundAfter({}), ElementsAre(Sequence(0, 0)));
  ReceiverBooks second = next_;
  ASSERT_THAT(FoundAfter(Save(second, {})), ElementsAre(Sequence(0, 0)));
  ReceiverBooks third = next_;
  ReceivedBlock block;
  block.id = {kStream, Sequence(0, 0)};
  block.log_place = BlockLogPlace{log.directory() + "/0", 1, 24, 40};
  third.Assign({block});
  EXPECT_THAT(FoundAfter(Save(third, {})), IsEmpty());
}

TEST_F(ReceiverBooksTest, ARunThatRecoversNothingReadsNothing) {
  ReceiverBooks log = LogOf(Begin());
  LogBlock(log, 4, 0, 1);
  ReceiverBooks other = LogOf(Begin());
  const auto found = other.ReadEarlier(fs_, kStream, /*recovers=*/false);
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(*found, IsEmpty());
  EXPECT_EQ(other.first_sequence(), Sequence(5, 0));
  EXPECT_THAT(other.earlier_directories(), ElementsAre(log.directory() + "/4"));
}

TEST_F(ReceiverBooksTest, EachDriverSealsThoseBeforeIt) {
  const LoggingRuns first = Begin();
  EXPECT_FALSE(*fs_.Exists(first.SealOf(first.own)));
  const LoggingRuns second = Begin();
  EXPECT_NE(first.own, second.own);
  EXPECT_THAT(second.earlier, ElementsAre(first.own));
  EXPECT_TRUE(*fs_.Exists(first.SealOf(first.own)));
  EXPECT_FALSE(*fs_.Exists(second.SealOf(second.own)));
}

TEST_F(ReceiverBooksTest, SealsOfLongAgoAreRemoved) {
  for (int i = 0; i < 40; ++i) Begin();
  EXPECT_LE(Begin().earlier.size(), 17u);
}

TEST_F(ReceiverBooksTest, ACheckpointThatContradictsItselfIsRefused) {
  ReceiverBooks log = LogOf(Begin());
  proto::ReceiverBooks saved;
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

TEST_F(ReceiverBooksTest, SegmentsGoWhenNoCheckpointThatIsKeptNeedsThem) {
  const ReceiverBooks log = LogOf(Begin());
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

TEST_F(ReceiverBooksTest, TheSealOfALostWorkersLogStays) {
  const ReceiverBooks log = LogOf(Begin());
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

TEST_F(ReceiverBooksTest, LogsOfEarlierDriversGoAsAWhole) {
  const ReceiverBooks log = LogOf(Begin());
  LogBlock(log, 0, 0, 1);
  ReceiverBooks next = LogOf(Begin());
  ASSERT_TRUE(next.ReadEarlier(fs_, kStream, /*recovers=*/false).ok());
  ReceivedLogCleaner cleaner(fs_);
  cleaner.KnowEarlier(next.earlier_directories());
  for (int i = 0; i < 3; ++i) cleaner.CheckpointWritten({});
  EXPECT_THAT(fs_.AllPaths(), Not(Contains(HasSubstr(log.directory()))));
}

// Of a driver that logs nothing: workers alone have the blocks.
class BlocksOnWorkersTest : public ReceiverBooksTest {
 protected:
  static ReceiverBooks Books() {
    LoggingRuns runs;
    runs.root = "/checkpoint/receivedData";
    return ReceiverBooks(runs, "words");
  }
  static ReceivedBlock Block(int64_t start, int64_t number) {
    ReceivedBlock block;
    block.id = {kStream, (start << 32) + number};
    return block;
  }
};

TEST_F(BlocksOnWorkersTest, WhatWorkersStillHaveAndNoBatchHadIsTakenOver) {
  ReceiverBooks log = Books();
  const ReceiverBooks::Batches batches = {{Time(1000), {Block(0, 1), Block(2, 0)}}};
  log.Assign(batches.begin()->second);
  const proto::ReceiverBooks saved = Save(log, batches);
  ReceiverBooks next = Books();
  ASSERT_TRUE(next.Restore(saved).ok());
  proto::InputBlock block;
  ReceiverBooks::SaveBlock(Block(2, 0), block);
  const auto restored = next.RestoreBlock(kStream, block);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->id.sequence, Block(2, 0).id.sequence);
  EXPECT_FALSE(restored->log_place.has_value());
  // Of starts that the checkpoint knows, of one between them, and of a later one.
  const std::vector<ReceivedBlock> held = {Block(0, 0), Block(0, 1), Block(0, 2), Block(1, 0),
                                           Block(2, 0), Block(2, 1), Block(5, 0)};
  next.KnowEarlierStarts(7, /*may_count=*/true);
  EXPECT_THAT(Sequences(next.TakeOver(held)),
              ElementsAre(Block(0, 2).id.sequence, Block(1, 0).id.sequence, Block(2, 1).id.sequence,
                          Block(5, 0).id.sequence));
  EXPECT_EQ(next.first_sequence(), int64_t{7} << 32) << "a receiver may run with number 6";
  const TakenOverStarts known = next.StartsOnWorkers();
  EXPECT_EQ(known.assigned.at(0), Block(0, 1).id.sequence);
  EXPECT_EQ(known.assigned.at(1), -1);
  EXPECT_THAT(known.unheard.ranges(), ElementsAre(Pair(3, 7)));
  EXPECT_THAT(next.Needed({}), IsEmpty()) << "there are no logs";
}

// One that a worker names is of a receiver that nobody has heard of; the next driver, too, tells it
// from those that are done.
TEST_F(BlocksOnWorkersTest, StartsThatNobodyHasHeardOfAreToldFromThoseThatAreDone) {
  ReceiverBooks first = Books();
  for (int64_t start = 0; start < 100; ++start) first.Assign({Block(start, 0)});
  ReceiverBooks second = Books();
  ASSERT_TRUE(second.Restore(Save(first, {})).ok());
  second.KnowEarlierStarts(200, /*may_count=*/true);
  // A copy that comes late, and what this driver has received by itself.
  second.Assign({Block(150, 4), Block(200, 0)});
  ReceiverBooks third = Books();
  ASSERT_TRUE(third.Restore(Save(second, {})).ok());
  const TakenOverStarts known = third.StartsOnWorkers();
  EXPECT_THAT(known.unheard.ranges(), ElementsAre(Pair(100, 150), Pair(151, 200)));
  EXPECT_EQ(known.assigned.at(150), Block(150, 4).id.sequence);
  EXPECT_FALSE(known.assigned.contains(4)) << "forgotten";
  EXPECT_THAT(Sequences(third.TakeOver({Block(4, 1), Block(149, 0), Block(150, 4), Block(150, 5)})),
              ElementsAre(Block(149, 0).id.sequence, Block(150, 5).id.sequence));
}

TEST_F(BlocksOnWorkersTest, StartsOfAnotherStreamThatHadTheSameIdDoNotCount) {
  ReceiverBooks log = Books();
  log.KnowEarlierStarts(7, /*may_count=*/false);
  EXPECT_THAT(log.TakeOver({Block(5, 0)}), IsEmpty());
  EXPECT_EQ(log.first_sequence(), int64_t{7} << 32);
}

TEST_F(BlocksOnWorkersTest, RangesThatCannotBeAreRefused) {
  ReceiverBooks log = Books();
  log.Assign({Block(0, 0), Block(4, 0)});
  const auto restore = [&](std::vector<std::pair<int64_t, int64_t>> ranges) {
    proto::ReceiverBooks saved = Save(log, {});
    saved.set_end_start(20);
    for (const auto& [begin, end] : ranges) {
      saved.add_unheard()->set_begin(begin);
      saved.mutable_unheard()->rbegin()->set_end(end);
    }
    return Books().Restore(saved);
  };
  EXPECT_TRUE(restore({{5, 7}, {9, 20}}).ok());
  EXPECT_FALSE(restore({{5, 5}}).ok()) << "empty";
  EXPECT_FALSE(restore({{-1, 0}}).ok());
  EXPECT_FALSE(restore({{4, 6}}).ok()) << "of 4 something was heard";
  EXPECT_FALSE(restore({{5, 9}, {8, 12}}).ok());
  const absl::Status too_far = restore({{18, 21}});
  EXPECT_EQ(too_far.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(too_far.message()), HasSubstr("18 to 21"));
}

TEST_F(BlocksOnWorkersTest, ANumberOfAWorkerMakesNoLongList) {
  ReceiverBooks log = Books();
  constexpr int64_t kFar = int64_t{1} << 29;
  log.KnowEarlierStarts(kFar + 1, /*may_count=*/true);
  EXPECT_THAT(Sequences(log.TakeOver({Block(kFar, 1)})), ElementsAre(Block(kFar, 1).id.sequence));
  EXPECT_THAT(log.StartsOnWorkers().assigned, IsEmpty());
  EXPECT_EQ(log.first_sequence(), (kFar + 1) << 32);
}

TEST_F(BlocksOnWorkersTest, StartsWithoutNumberAreNotKeptForEver) {
  ReceiverBooks log = Books();
  for (int64_t start = 0; start < 1000; ++start) log.Assign({Block(start, 0)});
  const ReceiverBooks::Batches batches = {{Time(1000), {Block(3, 0)}}};
  const proto::ReceiverBooks saved = Save(log, batches);
  EXPECT_EQ(saved.starts_size(), 65) << "the last ones, and one that a batch reads";
  ReceiverBooks next = Books();
  ASSERT_TRUE(next.Restore(saved).ok());
  EXPECT_THAT(Sequences(next.TakeOver({Block(3, 1), Block(4, 1), Block(999, 1)})),
              ElementsAre(Block(3, 1).id.sequence, Block(999, 1).id.sequence));
}

}  // namespace
}  // namespace millrace::internal
