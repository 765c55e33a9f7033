#include "executor/block/block_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class BlockStoreTest : public ::testing::Test {
 protected:
  BlockStoreTest() : disk_(fs_, "/spill"), store_(budget_, disk_) {}

  absl::Status Put(const StoreKey& key, const std::string& bytes,
                   StorageLevel level = StorageLevel::kMemoryOnly) {
    StoreData data{.buffers = {Buffer::CopyOf(bytes)}, .record_count = 1, .level = level};
    absl::Status status = store_.Put(key, data);
    // What was not taken is still the caller's.
    EXPECT_EQ(data.buffers.empty(), status.ok());
    return status;
  }
  std::string Get(const StoreKey& key) {
    const auto buffers = store_.Get(key);
    if (!buffers.ok()) return buffers.status().ToString();
    std::string bytes;
    for (const Buffer& buffer : *buffers) bytes += buffer.view();
    return bytes;
  }
  size_t FileCount() {
    const auto files = fs_.List("/spill");
    return files.ok() ? files->size() : 0;
  }

  MemoryFileSystem fs_;
  MemoryBudget budget_{100};
  SpillDir disk_;
  BlockStore store_;
};

const StoreKey kBlock = StoreKey::Block(1, 2);

TEST_F(BlockStoreTest, GivesBackWhatWasPut) {
  ASSERT_TRUE(Put(kBlock, "bytes").ok());
  EXPECT_EQ(Get(kBlock), "bytes");
  EXPECT_TRUE(store_.Contains(kBlock));
  EXPECT_EQ(budget_.used_bytes(), 5u);
  store_.Drop(kBlock);
  EXPECT_EQ(Get(kBlock), "NOT_FOUND: block 2 of stream 1 is not here");
  EXPECT_EQ(budget_.used_bytes(), 0u);
}

TEST_F(BlockStoreTest, ABlockThatComesTwiceStaysAndACachedPartitionIsReplaced) {
  ASSERT_TRUE(Put(kBlock, "first").ok());
  StoreData again{.buffers = {Buffer::CopyOf("second")}, .level = StorageLevel::kMemoryOnly};
  ASSERT_TRUE(store_.Put(kBlock, again).ok());
  EXPECT_EQ(Get(kBlock), "first");
  const StoreKey cached = StoreKey::Cached(1, 2);
  ASSERT_TRUE(Put(cached, "first").ok());
  ASSERT_TRUE(Put(cached, "newer").ok());
  EXPECT_EQ(Get(cached), "newer");
  EXPECT_EQ(budget_.used_bytes(), 10u);
}

TEST_F(BlockStoreTest, OverTheLimitTheLeastRecentlyUsedGoesToDisk) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(
        Put(StoreKey::Block(1, i), std::string(30, 'a'), StorageLevel::kMemoryAndDisk2).ok());
  }
  Get(StoreKey::Block(1, 0));
  ASSERT_TRUE(Put(StoreKey::Block(1, 3), std::string(30, 'd')).ok());
  EXPECT_EQ(FileCount(), 1u);
  EXPECT_EQ(fs_.List("/spill")->at(0).name, "1-block-1-of-stream-1");
  EXPECT_EQ(budget_.used_bytes(), 90u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Get(StoreKey::Block(1, i)), std::string(30, 'a'));
  EXPECT_THAT(store_.TakeDropped(), IsEmpty());
}

TEST_F(BlockStoreTest, CachedPartitionsOfMemoryOnlyAreDroppedAndTold) {
  ASSERT_TRUE(Put(StoreKey::Cached(7, 0), std::string(60, 'a')).ok());
  ASSERT_TRUE(Put(StoreKey::Cached(7, 1), std::string(60, 'b')).ok());
  EXPECT_FALSE(store_.Contains(StoreKey::Cached(7, 0)));
  EXPECT_THAT(store_.TakeDropped(),
              ElementsAre(Pair(StoreKey::Cached(7, 0), StorageLevel::kMemoryOnly)));
  EXPECT_THAT(store_.TakeDropped(), IsEmpty());
  EXPECT_EQ(FileCount(), 0u);
}

TEST_F(BlockStoreTest, ReceivedBlocksOfMemoryOnlyStayAndNewOnesAreRefused) {
  ASSERT_TRUE(Put(StoreKey::Block(1, 1), std::string(60, 'a')).ok());
  const absl::Status refused = Put(StoreKey::Block(1, 2), std::string(60, 'b'));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.message(),
            "no room for block 2 of stream 1 of 60 bytes: 60 of the worker's 100 bytes are in use");
  EXPECT_EQ(Get(StoreKey::Block(1, 1)), std::string(60, 'a'));
  store_.Drop(StoreKey::Block(1, 1));
  EXPECT_TRUE(Put(StoreKey::Block(1, 2), std::string(60, 'b')).ok());
}

TEST_F(BlockStoreTest, WhatATaskReadsOutlivesTheEntry) {
  ASSERT_TRUE(Put(StoreKey::Cached(1, 1), std::string(60, 'a')).ok());
  const std::vector<Buffer> pinned = *store_.Get(StoreKey::Cached(1, 1));
  ASSERT_TRUE(Put(StoreKey::Cached(1, 2), std::string(60, 'b')).ok());
  EXPECT_FALSE(store_.Contains(StoreKey::Cached(1, 1)));
  EXPECT_EQ(pinned.at(0).view(), std::string(60, 'a'));
}

TEST_F(BlockStoreTest, WhatIsLargerThanTheMemoryGoesToDiskOrNowhere) {
  ASSERT_TRUE(Put(StoreKey::Cached(1, 1), std::string(90, 'a')).ok());
  const std::string large(1000, 'x');
  EXPECT_FALSE(Put(kBlock, large).ok());
  EXPECT_TRUE(Put(kBlock, large, StorageLevel::kMemoryAndDisk).ok());
  EXPECT_EQ(Get(kBlock), large);
  // Nothing was evicted in vain.
  EXPECT_TRUE(store_.Contains(StoreKey::Cached(1, 1)));
}

TEST_F(BlockStoreTest, DiskOnlyTakesNoMemoryAndNeverGoesIntoTheStoreWithoutWaiting) {
  StoreData data{.buffers = {Buffer::CopyOf("x")}, .level = StorageLevel::kDiskOnly};
  EXPECT_FALSE(store_.TryPut(kBlock, data));
  ASSERT_TRUE(store_.Put(kBlock, data).ok());
  EXPECT_EQ(Get(kBlock), "x");
  EXPECT_EQ(budget_.used_bytes(), 0u);
  store_.Drop(kBlock);
  EXPECT_TRUE(disk_.has_discarded());
}

TEST_F(BlockStoreTest, TryPutNeverTouchesTheDisk) {
  ASSERT_TRUE(Put(kBlock, std::string(90, 'a'), StorageLevel::kMemoryAndDisk).ok());
  StoreData data{.buffers = {Buffer(std::string(50, 'b'))}, .level = StorageLevel::kMemoryAndDisk};
  EXPECT_FALSE(store_.TryPut(StoreKey::Block(1, 3), data));
  EXPECT_EQ(data.buffers.size(), 1u);
  EXPECT_EQ(FileCount(), 0u);
}

TEST_F(BlockStoreTest, AFullDiskLosesNothing) {
  ASSERT_TRUE(Put(StoreKey::Block(1, 1), std::string(90, 'a'), StorageLevel::kMemoryAndDisk).ok());
  fs_.SetCapacity(20);
  const absl::Status refused =
      Put(StoreKey::Block(1, 2), std::string(50, 'b'), StorageLevel::kMemoryAndDisk);
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.message()), HasSubstr("making room for block 2 of stream 1: "));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("/spill/1-block-1-of-stream-1"));
  EXPECT_EQ(Get(StoreKey::Block(1, 1)), std::string(90, 'a'));
  fs_.SetCapacity(10000);
  EXPECT_TRUE(Put(StoreKey::Block(1, 2), std::string(50, 'b'), StorageLevel::kMemoryAndDisk).ok());
  EXPECT_EQ(Get(StoreKey::Block(1, 1)), std::string(90, 'a'));
}

TEST_F(BlockStoreTest, ADamagedFileIsToldByName) {
  ASSERT_TRUE(Put(kBlock, "x", StorageLevel::kDiskOnly).ok());
  const std::string path = "/spill/" + fs_.List("/spill")->at(0).name;
  const auto file = fs_.OpenForWrite(path, WriteMode::kTruncate);
  ASSERT_TRUE((*file)->Append("garbage that is long enough").ok());
  ASSERT_TRUE((*file)->Close().ok());
  const auto read = store_.Get(kBlock);
  EXPECT_TRUE(absl::IsDataLoss(read.status())) << read.status();
  EXPECT_THAT(std::string(read.status().message()), HasSubstr(path));
}

TEST_F(BlockStoreTest, DropRddTakesAllItsPartitionsAndNoOthers) {
  for (uint32_t partition = 0; partition < 3; ++partition) {
    ASSERT_TRUE(Put(StoreKey::Cached(5, partition), "x").ok());
    ASSERT_TRUE(Put(StoreKey::Cached(6, partition), "x", StorageLevel::kDiskOnly).ok());
  }
  ASSERT_TRUE(Put(StoreKey::Block(5, 0), "x").ok());
  store_.DropRdd(5);
  EXPECT_EQ(store_.entry_count(), 4u);
  store_.DropRdd(6);
  EXPECT_EQ(store_.entry_count(), 1u);
  EXPECT_TRUE(store_.Contains(StoreKey::Block(5, 0)));
}

TEST_F(BlockStoreTest, MakesRoomForOthersOnTheBudget) {
  ASSERT_TRUE(Put(StoreKey::Cached(1, 1), std::string(90, 'a')).ok());
  EXPECT_TRUE(store_.MakeRoom(50));
  EXPECT_EQ(budget_.used_bytes(), 0u);
  ASSERT_TRUE(Put(kBlock, std::string(90, 'a')).ok());
  EXPECT_FALSE(store_.MakeRoom(50));
  EXPECT_FALSE(store_.MakeRoom(101));
}

TEST_F(BlockStoreTest, ManyThreadsAtOnceNeitherLoseNorLeak) {
  constexpr int kThreads = 4;
  constexpr int kEntries = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEntries; ++i) {
        const StoreKey key = StoreKey::Block(t, i);
        const std::string bytes = std::to_string(t * kEntries + i) + std::string(20, '.');
        ASSERT_TRUE(Put(key, bytes, StorageLevel::kMemoryAndDisk).ok());
        ASSERT_EQ(Get(key), bytes);
        if (i % 3 == 0) store_.Drop(StoreKey::Block(t, i - 1));
        ASSERT_EQ(Get(key), bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kEntries; ++i) store_.Drop(StoreKey::Block(t, i));
  }
  EXPECT_EQ(store_.entry_count(), 0u);
  EXPECT_EQ(budget_.used_bytes(), 0u);
  disk_.RemoveDiscarded();
  EXPECT_EQ(FileCount(), 0u);
}

}  // namespace
}  // namespace millrace::internal
