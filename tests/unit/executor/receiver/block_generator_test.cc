#include "executor/receiver/block_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/log/block_log.h"
#include "common/log/write_ahead_log.h"
#include "common/memory/memory_budget.h"
#include "common/time/system_clock.h"
#include "executor/block/block_store.h"
#include "executor/block/spill_dir.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int64_t kStream = 7;
constexpr int64_t kSecondNanos = 1'000'000'000;

class BlockGeneratorTest : public ::testing::Test {
 protected:
  explicit BlockGeneratorTest(size_t memory_bytes = 1 << 20)
      : budget_(memory_bytes), disk_(fs_, "/spill"), store_(budget_, disk_) {
    Make(StorageLevel::kMemoryOnly);
  }

  void Make(StorageLevel level, WriteAheadLog* log = nullptr,
            int64_t store_call_nanos_max = 30 * kSecondNanos) {
    generator_ = std::make_unique<BlockGenerator>(
        BlockGenerator::Options{.stream_id = kStream,
                                .first_sequence = 100,
                                .storage_level = level,
                                .log = log,
                                .store_call_nanos_max = store_call_nanos_max,
                                .full_store_nanos_max = 1},
        store_,
        BlockGenerator::Callbacks{.on_reports = [this] { ++reports_told_; },
                                  .on_store_needed = [this] { ++store_needed_; },
                                  .on_error =
                                      [this](const std::string& message) {
                                        absl::MutexLock lock(&mutex_);
                                        errors_.push_back(message);
                                      }});
  }

  std::string Block(int64_t sequence) {
    const auto buffers = store_.Get(StoreKey::Block(kStream, sequence));
    if (!buffers.ok()) return std::string(buffers.status().message());
    std::string bytes;
    for (const Buffer& buffer : *buffers) bytes += buffer.view();
    return bytes;
  }

  std::vector<std::string> errors() {
    absl::MutexLock lock(&mutex_);
    return errors_;
  }
  void AwaitError() {
    absl::MutexLock lock(&mutex_);
    const auto has_error = [this]()
                               ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !errors_.empty(); };
    ASSERT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&has_error), absl::Seconds(30)));
  }

  MemoryFileSystem fs_;
  MemoryBudget budget_;
  SpillDir disk_;
  BlockStore store_;
  std::unique_ptr<BlockGenerator> generator_;
  std::atomic<int> reports_told_{0};
  std::atomic<int> store_needed_{0};
  absl::Mutex mutex_;
  std::vector<std::string> errors_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(BlockGeneratorTest, ACutStoresAndReportsTheRecordsSinceTheLast) {
  generator_->AddRecord("ab");
  generator_->AddRecord("cd");
  generator_->Cut(1234);
  generator_->TryStorePending();
  std::vector<proto::BlockReport> reports = generator_->TakeReports(2000);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].stream_id(), kStream);
  EXPECT_EQ(reports[0].batch_time_ms(), 0);
  ASSERT_EQ(reports[0].blocks_size(), 1);
  const proto::StoredBlock& block = reports[0].blocks(0);
  EXPECT_EQ(block.id().stream_id(), kStream);
  EXPECT_EQ(block.id().sequence(), 100);
  EXPECT_EQ(block.record_count(), 2);
  EXPECT_EQ(block.size_bytes(), 4);
  EXPECT_EQ(block.cut_time_ms(), 1234);
  EXPECT_EQ(Block(100), "abcd");
  EXPECT_THAT(generator_->TakeReports(2000), IsEmpty());
}

TEST_F(BlockGeneratorTest, AnEmptyBlockIsNoBlockButABatchIsAlwaysAnswered) {
  generator_->Cut(1);
  generator_->TryStorePending();
  EXPECT_THAT(generator_->TakeReports(1), IsEmpty());
  generator_->CutBatch(2, 1000);
  generator_->TryStorePending();
  std::vector<proto::BlockReport> reports = generator_->TakeReports(2);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].batch_time_ms(), 1000);
  EXPECT_EQ(reports[0].blocks_size(), 0);
}

TEST_F(BlockGeneratorTest, ABatchReportNamesWhatWasCutBeforeItAndNoLaterBlock) {
  generator_->AddRecord("first");
  generator_->Cut(1);
  generator_->AddRecord("second");
  generator_->CutBatch(2, 1000);
  generator_->AddRecord("third");
  generator_->Cut(3);
  generator_->TryStorePending();
  std::vector<proto::BlockReport> reports = generator_->TakeReports(3);
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].batch_time_ms(), 1000);
  EXPECT_EQ(reports[0].blocks_size(), 2);
  EXPECT_EQ(reports[1].batch_time_ms(), 0);
  ASSERT_EQ(reports[1].blocks_size(), 1);
  EXPECT_EQ(reports[1].blocks(0).id().sequence(), 102);
}

TEST_F(BlockGeneratorTest, AReliableStoreReturnsWhenTheBlockIsStoredAndReported) {
  ASSERT_TRUE(generator_->StoreBlock(Buffer::CopyOf("records"), 3, "offset 17").ok());
  EXPECT_EQ(Block(100), "records");
  EXPECT_EQ(reports_told_, 1);
  std::vector<proto::BlockReport> reports = generator_->TakeReports(55);
  ASSERT_EQ(reports.size(), 1u);
  ASSERT_EQ(reports[0].blocks_size(), 1);
  EXPECT_EQ(reports[0].blocks(0).record_count(), 3);
  EXPECT_EQ(reports[0].blocks(0).metadata(), "offset 17");
  EXPECT_EQ(reports[0].blocks(0).cut_time_ms(), 55);
}

TEST_F(BlockGeneratorTest, AWriterCutsABlockThatGrowsTooLarge) {
  BlockGenerator generator({.stream_id = 1, .block_bytes_max = 1000}, store_,
                           {.on_reports = [] {}, .on_store_needed = [] {}, .on_error = {}});
  const std::string record(100, 'x');
  for (int i = 0; i < 10; ++i) generator.AddRecord(record);
  EXPECT_EQ(store_.entry_count(), 0u);
  for (int i = 0; i < 5; ++i) generator.AddRecord(record);
  EXPECT_EQ(store_.entry_count(), 1u);
  generator.Cut(1);
  generator.TryStorePending();
  EXPECT_EQ(store_.entry_count(), 2u);
}

TEST_F(BlockGeneratorTest, ARateHoldsWritersUntilItIsLifted) {
  generator_->SetLimits({.records_per_second = 0.001});
  std::thread writer([this] {
    generator_->AddRecord("a");
    generator_->AddRecord("b");
  });
  // Neither can be admitted for minutes.
  generator_->SetLimits({.records_per_second = 0});
  writer.join();
  generator_->Cut(1);
  generator_->TryStorePending();
  EXPECT_EQ(Block(100), "ab");
}

// A block may be larger than what is let through at once; the one after it waits for both.
TEST_F(BlockGeneratorTest, ARateHoldsBlocksToo) {
  generator_->SetLimits({.records_per_second = 1000});
  EXPECT_TRUE(generator_->StoreBlock(Buffer(std::string("many")), 100, "").ok());
  const int64_t begin_nanos = MonotonicNanos();
  EXPECT_TRUE(generator_->StoreBlock(Buffer(std::string("one")), 1, "").ok());
  EXPECT_GE(MonotonicNanos() - begin_nanos, kSecondNanos / 25) << "50 records were owed";
  EXPECT_EQ(Block(101), "one");
}

TEST_F(BlockGeneratorTest, BytesHaveARateWhereNobodyCountsRecords) {
  generator_->SetLimits({.records_per_second = 0.001, .bytes_per_second = 1000});
  EXPECT_TRUE(generator_->StoreBlock(Buffer(std::string(100, 'a')), -1, "").ok());
  const int64_t begin_nanos = MonotonicNanos();
  EXPECT_TRUE(generator_->StoreBlock(Buffer(std::string("b")), -1, "").ok());
  EXPECT_GE(MonotonicNanos() - begin_nanos, kSecondNanos / 25) << "50 bytes were owed";
}

TEST_F(BlockGeneratorTest, ReleasedWritersAreCancelledWhateverTheRate) {
  generator_->SetLimits({.records_per_second = 1000});
  EXPECT_TRUE(generator_->StoreBlock(Buffer(std::string("a")), 1'000'000, "").ok());
  std::thread writer([this] {
    EXPECT_EQ(generator_->StoreBlock(Buffer(std::string("b")), 1, "").code(),
              absl::StatusCode::kCancelled);
  });
  generator_->ReleaseWriters(true);
  writer.join();
}

TEST_F(BlockGeneratorTest, ReleasedWritersWaitForNoRate) {
  generator_->SetLimits({.records_per_second = 0.001});
  std::thread writer([this] { generator_->AddRecord("a"); });
  generator_->ReleaseWriters(true);
  writer.join();
}

TEST_F(BlockGeneratorTest, UnprocessedBytesHoldWritersWhateverTheRecordCount) {
  generator_->SetLimits({.unprocessed_bytes_max = 10});
  EXPECT_TRUE(generator_->StoreBlock(Buffer(std::string(6, 'a')), -1, "").ok());
  generator_->AddRecord("bbbbbbbb");  // Passes the limit.
  std::atomic<int> done{0};
  std::thread block_writer([&] {
    EXPECT_TRUE(generator_->StoreBlock(Buffer(std::string("c")), -1, "").ok());
    ++done;
  });
  std::thread record_writer([&] {
    generator_->AddRecord("d");
    ++done;
  });
  generator_->Cut(1);
  generator_->TryStorePending();
  generator_->SetProcessed(4);
  EXPECT_EQ(done, 0) << "10 of 14 are unprocessed still";
  generator_->SetProcessed(14);
  block_writer.join();
  record_writer.join();
  EXPECT_EQ(Block(101), "bbbbbbbb");
}

TEST_F(BlockGeneratorTest, ReleasedWritersWaitForNoBytes) {
  generator_->SetLimits({.unprocessed_bytes_max = 1});
  generator_->AddRecord("a");
  std::thread writer([this] { generator_->AddRecord("b"); });
  generator_->ReleaseWriters(true);
  writer.join();
}

class FullStoreTest : public BlockGeneratorTest {
 protected:
  FullStoreTest() : BlockGeneratorTest(/*memory_bytes=*/100) {}

  void FillStore() {
    StoreData data{.buffers = {Buffer(std::string(96, 'f'))}, .level = StorageLevel::kMemoryOnly};
    ASSERT_TRUE(store_.Put(StoreKey::Block(1, 1), data).ok());
  }
  void DrainStore() { store_.Drop(StoreKey::Block(1, 1)); }
};

TEST_F(FullStoreTest, TheEventLoopAsksForHelpAndNothingIsLost) {
  FillStore();
  generator_->AddRecord(std::string(50, 'a'));
  generator_->CutBatch(1, 1000);
  generator_->TryStorePending();
  EXPECT_EQ(store_needed_, 1);
  EXPECT_THAT(generator_->TakeReports(1), IsEmpty());

  std::thread helper([this] { generator_->StorePending(); });
  DrainStore();
  helper.join();
  std::vector<proto::BlockReport> reports = generator_->TakeReports(1);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].batch_time_ms(), 1000);
  EXPECT_EQ(Block(100), std::string(50, 'a'));
}

TEST_F(FullStoreTest, AWriterWaitsWhenTooMuchIsPending) {
  FillStore();
  for (size_t i = 0; i <= BlockGenerator::kPendingBlocksMax; ++i) {
    generator_->AddRecord("12345");
    generator_->Cut(1);
  }
  std::atomic<bool> written{false};
  std::thread writer([&] {
    generator_->AddRecord("c");
    written = true;
  });
  generator_->TryStorePending();
  EXPECT_FALSE(written);
  DrainStore();
  writer.join();
  EXPECT_TRUE(written);
}

TEST_F(FullStoreTest, BlocksThatMayGoToDiskGoThere) {
  FillStore();
  Make(StorageLevel::kMemoryAndDisk);
  generator_->AddRecord(std::string(50, 'a'));
  generator_->Cut(1);
  generator_->TryStorePending();
  EXPECT_EQ(store_needed_, 1);
  generator_->StorePending();
  EXPECT_EQ(Block(100), std::string(50, 'a'));
  EXPECT_EQ(budget_.used_bytes(), 96u);
}

TEST_F(FullStoreTest, AFullDiskIsToldAndTheBlockIsKeptUntilThereIsRoom) {
  FillStore();
  Make(StorageLevel::kMemoryAndDisk);
  fs_.SetCapacity(10);
  generator_->AddRecord(std::string(50, 'a'));
  generator_->Cut(1);
  std::thread helper([this] { generator_->StorePending(); });
  AwaitError();
  EXPECT_THAT(errors()[0], HasSubstr("/spill/"));
  DrainStore();
  helper.join();
  EXPECT_EQ(Block(100), std::string(50, 'a'));
}

TEST_F(FullStoreTest, AReliableStoreIsToldAboutAFullDisk) {
  FillStore();
  Make(StorageLevel::kDiskOnly);
  fs_.SetFault([](FileOp op, const std::string& path) {
    return op == FileOp::kAppend ? absl::InternalError("disk broken: " + path) : absl::OkStatus();
  });
  const absl::Status stored = generator_->StoreBlock(Buffer::CopyOf("x"), 1, "");
  EXPECT_EQ(stored.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(stored.message()), HasSubstr("/spill/"));
  EXPECT_THAT(generator_->TakeReports(1), IsEmpty());
}

TEST_F(FullStoreTest, AReleasedReliableStoreEndsWithoutABlock) {
  FillStore();
  absl::Status stored;
  std::thread writer([&] { stored = generator_->StoreBlock(Buffer(std::string(50, 'a')), 1, ""); });
  generator_->ReleaseWriters(true);
  writer.join();
  EXPECT_TRUE(absl::IsCancelled(stored)) << stored;
  generator_->CutBatch(1, 1000);
  generator_->TryStorePending();
  std::vector<proto::BlockReport> reports = generator_->TakeReports(1);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].blocks_size(), 0);
}

TEST_F(FullStoreTest, FinishStoresTheRest) {
  FillStore();
  generator_->AddRecord(std::string(50, 'a'));
  generator_->ReleaseWriters(true);
  std::thread finisher([this] { generator_->Finish(30 * kSecondNanos); });
  DrainStore();
  finisher.join();
  EXPECT_EQ(Block(100), std::string(50, 'a'));
  // That it had to wait may have been told.
  EXPECT_THAT(errors(), Not(Contains(HasSubstr("lost"))));
}

TEST_F(FullStoreTest, FinishTellsWhatItHadToGiveUpAndStillAnswersBatches) {
  FillStore();
  generator_->AddRecord(std::string(50, 'a'));
  generator_->AddRecord(std::string(50, 'b'));
  generator_->CutBatch(1, 1000);
  generator_->ReleaseWriters(true);
  generator_->Finish(/*timeout_nanos=*/1);
  EXPECT_THAT(errors(), ElementsAre(HasSubstr("2 records in 1 blocks were lost")));
  std::vector<proto::BlockReport> reports = generator_->TakeReports(1);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].batch_time_ms(), 1000);
  EXPECT_EQ(reports[0].blocks_size(), 0);
}

TEST_F(BlockGeneratorTest, ManyWritersAndCutsLoseAndRepeatNothing) {
  constexpr int kWriters = 3;
  constexpr int kRecords = 3000;
  std::atomic<int> running{kWriters};
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < kRecords; ++i) {
        if (i % 100 == 99) {
          ASSERT_TRUE(generator_->StoreBlock(Buffer::CopyOf("R"), 1, "").ok());
        } else {
          generator_->AddRecord(std::string(1, static_cast<char>('a' + w)));
        }
      }
      --running;
    });
  }
  int64_t records = 0;
  int64_t next_sequence = 100;
  bool last = false;
  while (!last) {
    last = running == 0;
    generator_->Cut(1);
    generator_->TryStorePending();
    for (const proto::BlockReport& report : generator_->TakeReports(1)) {
      for (const proto::StoredBlock& block : report.blocks()) {
        EXPECT_EQ(block.id().sequence(), next_sequence++);
        EXPECT_EQ(Block(block.id().sequence()).size(), static_cast<size_t>(block.record_count()));
        records += block.record_count();
        store_.Drop(StoreKey::Block(kStream, block.id().sequence()));
      }
    }
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(records, kWriters * kRecords);
  EXPECT_EQ(budget_.used_bytes(), 0u);
}

// ---------------------------------------------------------------------------------------------
// With a log.

class LoggedBlocksTest : public BlockGeneratorTest {
 protected:
  explicit LoggedBlocksTest(size_t memory_bytes = 1 << 20) : BlockGeneratorTest(memory_bytes) {
    log_ = std::make_unique<WriteAheadLog>(
        fs_, WriteAheadLog::Options{.directory = "/log", .seals = {"/log/sealed"}});
    Make(StorageLevel::kMemoryOnly, log_.get());
  }
  ~LoggedBlocksTest() override { generator_.reset(); }

  // The bytes of the blocks that the log has, by what was reported.
  std::vector<std::string> Logged(const std::vector<proto::BlockReport>& reports) {
    std::vector<std::string> blocks;
    for (const proto::BlockReport& report : reports) {
      for (const proto::StoredBlock& block : report.blocks()) {
        const auto buffers = ReadLoggedBlock(fs_, block.id());
        EXPECT_TRUE(buffers.ok()) << buffers.status();
        std::string& bytes = blocks.emplace_back();
        for (const Buffer& buffer : *buffers) bytes += buffer.view();
      }
    }
    return blocks;
  }
  std::vector<int64_t> LoggedSequences() {
    std::vector<int64_t> sequences;
    const auto blocks = ListLoggedBlocks(fs_, "/log", 0);
    EXPECT_TRUE(blocks.ok()) << blocks.status();
    for (const proto::StoredBlock& block : *blocks) sequences.push_back(block.id().sequence());
    return sequences;
  }
  void FailWrites(bool fail) {
    fs_.SetFault([fail](FileOp op, const std::string&) {
      return fail && op == FileOp::kSync ? absl::ResourceExhaustedError("the disk is full")
                                         : absl::OkStatus();
    });
  }

  std::unique_ptr<WriteAheadLog> log_;
};

TEST_F(LoggedBlocksTest, WhatIsReportedIsInTheStoreAndInTheLog) {
  ASSERT_TRUE(generator_->StoreBlock(Buffer::CopyOf("records"), 3, "offset 17").ok());
  fs_.LoseUnsynced();
  const std::vector<proto::BlockReport> reports = generator_->TakeReports(1);
  EXPECT_THAT(Logged(reports), ElementsAre("records"));
  EXPECT_EQ(reports[0].blocks(0).metadata(), "offset 17");
  EXPECT_EQ(reports[0].blocks(0).id().place().directory(), "/log");
  EXPECT_EQ(Block(100), "records");
}

TEST_F(LoggedBlocksTest, TheEventLoopWritesNothingItself) {
  generator_->AddRecord("ab");
  generator_->CutBatch(1, 1000);
  generator_->TryStorePending();
  EXPECT_EQ(store_needed_, 1);
  EXPECT_THAT(generator_->TakeReports(1), IsEmpty());
  generator_->StorePending();
  const std::vector<proto::BlockReport> reports = generator_->TakeReports(1);
  EXPECT_THAT(Logged(reports), ElementsAre("ab"));
  EXPECT_EQ(reports[0].batch_time_ms(), 1000);
}

TEST_F(LoggedBlocksTest, AnEmptyBatchIsAnsweredAtOnce) {
  generator_->CutBatch(1, 1000);
  generator_->TryStorePending();
  ASSERT_EQ(generator_->TakeReports(1).size(), 1u);
}

TEST_F(LoggedBlocksTest, BlocksThatWaitAreWrittenWithOneSync) {
  std::atomic<int> syncs{0};
  fs_.SetFault([&syncs](FileOp op, const std::string& path) {
    if (op == FileOp::kSync && path == "/log/log-00000001") ++syncs;
    return absl::OkStatus();
  });
  for (int i = 0; i < 10; ++i) {
    generator_->AddRecord(std::to_string(i));
    generator_->Cut(1);
  }
  generator_->StorePending();
  EXPECT_EQ(syncs, 1);
  EXPECT_THAT(Logged(generator_->TakeReports(1)),
              ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"));
  fs_.SetFault(nullptr);
}

TEST_F(LoggedBlocksTest, AStoreThatCannotBeLoggedIsToldSoAndIsInNoBatch) {
  FailWrites(true);
  const absl::Status stored = generator_->StoreBlock(Buffer::CopyOf("lost"), 1, "");
  EXPECT_EQ(stored.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(stored.message()), HasSubstr("the disk is full"));
  EXPECT_THAT(generator_->TakeReports(1), IsEmpty());
  EXPECT_EQ(store_.entry_count(), 0u);
  FailWrites(false);
  ASSERT_TRUE(generator_->StoreBlock(Buffer::CopyOf("kept"), 1, "").ok());
  EXPECT_THAT(Logged(generator_->TakeReports(1)), ElementsAre("kept"));
}

TEST_F(LoggedBlocksTest, WhatNobodyWaitsForIsTriedUntilItIsLogged) {
  FailWrites(true);
  generator_->AddRecord("patient");
  generator_->Cut(1);
  std::thread storing([this] { generator_->StorePending(); });
  AwaitError();
  EXPECT_THAT(errors(), Contains(HasSubstr("nothing is received until the log can be written")));
  FailWrites(false);
  storing.join();
  EXPECT_THAT(Logged(generator_->TakeReports(1)), ElementsAre("patient"));
  EXPECT_EQ(Block(100), "patient");
}

TEST_F(LoggedBlocksTest, WhatCannotBeLoggedAtTheEndIsToldOf) {
  FailWrites(true);
  generator_->AddRecord("lost");
  generator_->Finish(/*timeout_nanos=*/1);
  EXPECT_THAT(errors(), Contains(HasSubstr("1 records in 1 blocks were lost")));
  EXPECT_THAT(generator_->TakeReports(1), IsEmpty());
  FailWrites(false);
}

TEST_F(LoggedBlocksTest, AStoreTakesNoLongerThanItMay) {
  Make(StorageLevel::kMemoryOnly, log_.get(), /*store_call_nanos_max=*/1);
  absl::Notification go_on;
  fs_.SetFault([&go_on](FileOp op, const std::string&) {
    if (op == FileOp::kSync) go_on.WaitForNotification();
    return absl::OkStatus();
  });
  const absl::Status stored = generator_->StoreBlock(Buffer::CopyOf("late"), 1, "");
  EXPECT_EQ(stored.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(generator_->TakeReports(1), IsEmpty());
  go_on.Notify();
  fs_.SetFault(nullptr);
  generator_.reset();
  log_.reset();
}

TEST_F(LoggedBlocksTest, BehindASealNothingIsSafe) {
  ASSERT_TRUE(generator_->StoreBlock(Buffer::CopyOf("before"), 1, "").ok());
  ASSERT_TRUE(SealLog(fs_, "/log/sealed").ok());
  EXPECT_EQ(generator_->StoreBlock(Buffer::CopyOf("behind"), 1, "").code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Logged(generator_->TakeReports(1)), ElementsAre("before"));
}

TEST_F(LoggedBlocksTest, ManyThreadsStoreAtOnce) {
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string bytes = std::to_string(t) + "/" + std::to_string(i);
        ASSERT_TRUE(generator_->StoreBlock(Buffer::CopyOf(bytes), 1, "").ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::string> logged = Logged(generator_->TakeReports(1));
  EXPECT_EQ(std::set<std::string>(logged.begin(), logged.end()).size(),
            static_cast<size_t>(kThreads * kEach));
  EXPECT_EQ(LoggedSequences().size(), static_cast<size_t>(kThreads * kEach));
}

}  // namespace
}  // namespace millrace::internal
