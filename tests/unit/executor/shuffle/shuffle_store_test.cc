#include "executor/shuffle/shuffle_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

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

class ShuffleStoreTest : public ::testing::Test {
 protected:
  ShuffleStoreTest()
      : disk_(fs_, "/spill"), blocks_(budget_, disk_), store_(budget_, blocks_, disk_) {}

  absl::Status Put(int64_t shuffle_id, uint32_t map, const std::vector<std::string>& buckets) {
    MapOutput output;
    output.shuffle_id = shuffle_id;
    output.map_partition = map;
    for (uint32_t reduce = 0; reduce < buckets.size(); ++reduce) {
      output.pieces.emplace_back(reduce, Buffer::CopyOf(buckets[reduce]));
    }
    return store_.Put(std::move(output));
  }
  std::vector<std::string> Read(int64_t shuffle_id, uint32_t reduce, uint32_t map_count) {
    const auto buckets = store_.Read({shuffle_id, reduce}, map_count);
    if (!buckets.ok()) return {buckets.status().ToString()};
    std::vector<std::string> bytes;
    for (const Buffer& bucket : *buckets) bytes.emplace_back(bucket.view());
    return bytes;
  }

  MemoryFileSystem fs_;
  MemoryBudget budget_{100};
  SpillDir disk_;
  BlockStore blocks_;
  ShuffleStore store_;
};

TEST_F(ShuffleStoreTest, AReducePartitionIsReadyWhenAllMapsHaveHandedIn) {
  EXPECT_FALSE(store_.ReadyOrExpect({1, 0}, 2));
  EXPECT_FALSE(store_.ReadyOrExpect({1, 1}, 2));
  ASSERT_TRUE(Put(1, 1, {"b0", "b1"}).ok());
  EXPECT_THAT(store_.TakeReady(), IsEmpty());
  ASSERT_TRUE(Put(1, 0, {"a0", ""}).ok());
  EXPECT_THAT(store_.TakeReady(), ElementsAre(ReduceKey{1, 0}, ReduceKey{1, 1}));
  EXPECT_THAT(store_.TakeReady(), IsEmpty());
  EXPECT_TRUE(store_.ReadyOrExpect({1, 0}, 2));
  EXPECT_THAT(Read(1, 0, 2), ElementsAre("a0", "b0"));
  EXPECT_THAT(Read(1, 1, 2), ElementsAre("b1"));
}

TEST_F(ShuffleStoreTest, AShuffleOfNoMapsIsReadyAndEmpty) {
  EXPECT_TRUE(store_.ReadyOrExpect({1, 0}, 0));
  EXPECT_THAT(Read(1, 0, 0), IsEmpty());
}

TEST_F(ShuffleStoreTest, TheFirstCompleteAttemptCounts) {
  ASSERT_TRUE(Put(1, 0, {"first", "first"}).ok());
  ASSERT_TRUE(Put(1, 0, {"again", "again"}).ok());
  EXPECT_THAT(Read(1, 0, 1), ElementsAre("first"));
  EXPECT_EQ(budget_.used_bytes(), 10u);
}

TEST_F(ShuffleStoreTest, ReadingTooEarlySaysWhatIsMissing) {
  ASSERT_TRUE(Put(1, 0, {"a"}).ok());
  EXPECT_THAT(Read(1, 0, 3),
              ElementsAre("NOT_FOUND: reduce partition 0 of shuffle 1 has 1 of 3 map "
                          "outputs on this worker"));
  EXPECT_THAT(Read(9, 4, 1), ElementsAre(HasSubstr("has 0 of 1 map outputs")));
}

TEST_F(ShuffleStoreTest, BucketsMayBeReadAgainUntilTheShuffleIsDropped) {
  ASSERT_TRUE(Put(1, 0, {"a"}).ok());
  EXPECT_THAT(Read(1, 0, 1), ElementsAre("a"));
  EXPECT_THAT(Read(1, 0, 1), ElementsAre("a"));
  store_.Drop(1);
  EXPECT_THAT(Read(1, 0, 1), ElementsAre(HasSubstr("NOT_FOUND")));
  EXPECT_EQ(store_.shuffle_count(), 0u);
  EXPECT_EQ(budget_.used_bytes(), 0u);
}

TEST_F(ShuffleStoreTest, AnOutputWithoutBucketsLeavesNothing) {
  ASSERT_TRUE(Put(1, 0, {}).ok());
  EXPECT_EQ(store_.shuffle_count(), 0u);
}

TEST_F(ShuffleStoreTest, OverTheLimitMapOutputsGoToDisk) {
  ASSERT_TRUE(Put(1, 0, {std::string(40, 'a'), std::string(40, 'b')}).ok());
  ASSERT_TRUE(Put(1, 1, {std::string(40, 'c'), "", std::string(40, 'd')}).ok());
  EXPECT_EQ(budget_.used_bytes(), 80u);
  EXPECT_EQ(fs_.List("/spill")->size(), 1u);
  EXPECT_THAT(Read(1, 0, 2), ElementsAre(std::string(40, 'a'), std::string(40, 'c')));
  EXPECT_THAT(Read(1, 1, 2), ElementsAre(std::string(40, 'b')));
  store_.Drop(1);
  EXPECT_EQ(budget_.used_bytes(), 0u);
  disk_.RemoveDiscarded();
  EXPECT_THAT(*fs_.List("/spill"), IsEmpty());
}

TEST_F(ShuffleStoreTest, CachedPartitionsMakeRoomFirst) {
  StoreData cached{.buffers = {Buffer(std::string(90, 'x'))}};
  ASSERT_TRUE(blocks_.Put(StoreKey::Cached(1, 1), cached).ok());
  ASSERT_TRUE(Put(1, 0, {std::string(40, 'a')}).ok());
  EXPECT_FALSE(blocks_.Contains(StoreKey::Cached(1, 1)));
  EXPECT_EQ(budget_.used_bytes(), 40u);
}

TEST_F(ShuffleStoreTest, AFullDiskIsToldAndAnotherAttemptMaySucceed) {
  ASSERT_TRUE(Put(1, 0, {std::string(90, 'a')}).ok());
  fs_.SetCapacity(10);
  const absl::Status refused = Put(1, 1, {std::string(40, 'b')});
  EXPECT_THAT(std::string(refused.message()), HasSubstr("shuffle 1 map 1: "));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("/spill/"));
  EXPECT_FALSE(store_.ReadyOrExpect({1, 0}, 2));
  fs_.SetCapacity(10000);
  ASSERT_TRUE(Put(1, 1, {std::string(40, 'b')}).ok());
  EXPECT_THAT(store_.TakeReady(), ElementsAre(ReduceKey{1, 0}));
}

TEST_F(ShuffleStoreTest, PartitionNumbersAreNotBelieved) {
  MapOutput output;
  output.shuffle_id = 1;
  output.map_partition = 4'000'000'000;
  EXPECT_TRUE(absl::IsInvalidArgument(store_.Put(std::move(output))));
  output = {};
  output.shuffle_id = 1;
  output.pieces.emplace_back(4'000'000'000, Buffer());
  EXPECT_TRUE(absl::IsInvalidArgument(store_.Put(std::move(output))));
  EXPECT_TRUE(store_.ReadyOrExpect({1, 4'000'000'000}, 1));
  EXPECT_FALSE(store_.Read({1, 4'000'000'000}, 1).ok());
}

class PartsTest : public ShuffleStoreTest {
 protected:
  absl::Status PutPart(int64_t task, uint32_t sequence, bool is_last,
                       std::vector<std::pair<uint32_t, std::string>> pieces, uint32_t map = 0) {
    MapOutput output{.shuffle_id = 1,
                     .map_partition = map,
                     .task_id = task,
                     .sequence = sequence,
                     .is_last = is_last};
    for (auto& [partition, records] : pieces) {
      output.pieces.emplace_back(partition, records.empty() ? Buffer() : Buffer(records));
    }
    return store_.Put(std::move(output));
  }
};

TEST_F(PartsTest, CountFromTheLastOneOn) {
  ASSERT_FALSE(store_.ReadyOrExpect({1, 1}, 1));
  ASSERT_TRUE(PutPart(7, 0, false, {{2, "c1"}, {0, "a1"}}).ok());
  ASSERT_TRUE(PutPart(7, 1, false, {{0, "a2"}}).ok());
  EXPECT_THAT(store_.TakeReady(), IsEmpty());
  ASSERT_TRUE(PutPart(7, 2, true, {{0, "a3"}, {0, "a4"}, {1, ""}, {2, ""}}).ok());
  EXPECT_THAT(store_.TakeReady(), ElementsAre(ReduceKey{1, 1}));
  EXPECT_THAT(Read(1, 0, 1), ElementsAre("a1", "a2", "a3", "a4"));
  EXPECT_THAT(Read(1, 1, 1), IsEmpty());
  EXPECT_THAT(Read(1, 2, 1), ElementsAre("c1"));
}

TEST_F(PartsTest, LieOnDiskWhereThereIsNoRoom) {
  const std::string large(60, 'x');
  ASSERT_TRUE(PutPart(7, 0, false, {{0, large}}).ok());
  ASSERT_TRUE(PutPart(7, 1, false, {{1, large}, {0, "a"}}).ok());
  ASSERT_TRUE(PutPart(7, 2, true, {{0, "b"}, {1, large}}).ok());
  EXPECT_EQ(budget_.used_bytes(), 60u);
  EXPECT_EQ(fs_.List("/spill")->size(), 2u);
  EXPECT_THAT(Read(1, 0, 1), ElementsAre(large, "a", "b"));
  EXPECT_THAT(Read(1, 1, 1), ElementsAre(large, large));
  store_.Drop(1);
  EXPECT_EQ(budget_.used_bytes(), 0u);
  disk_.RemoveDiscarded();
  EXPECT_THAT(*fs_.List("/spill"), IsEmpty());
}

TEST_F(PartsTest, OfAnAttemptThatComesSecondAreForgotten) {
  ASSERT_TRUE(PutPart(7, 0, false, {{0, "slow"}}).ok());
  ASSERT_TRUE(PutPart(8, 0, true, {{0, "first"}}).ok());
  ASSERT_TRUE(PutPart(7, 1, true, {{0, "late"}}).ok());
  EXPECT_THAT(Read(1, 0, 1), ElementsAre("first"));
  EXPECT_EQ(budget_.used_bytes(), 5u);
}

TEST_F(PartsTest, OfAnAbandonedAttemptAreForgotten) {
  ASSERT_TRUE(PutPart(7, 0, false, {{0, "a"}}).ok());
  store_.Abandon(1, 7);
  store_.Abandon(1, 8);
  store_.Abandon(2, 7);
  EXPECT_EQ(budget_.used_bytes(), 0u);
  EXPECT_TRUE(absl::IsDataLoss(PutPart(7, 1, true, {{0, "b"}})));
  EXPECT_EQ(budget_.used_bytes(), 0u);
}

TEST_F(PartsTest, OutOfTurnAreRefused) {
  EXPECT_TRUE(absl::IsDataLoss(PutPart(7, 1, true, {{0, "b"}})));
  ASSERT_TRUE(PutPart(7, 0, false, {{0, "a"}}).ok());
  EXPECT_TRUE(absl::IsDataLoss(PutPart(7, 0, false, {{0, "a"}})));
  EXPECT_TRUE(absl::IsDataLoss(PutPart(7, 2, true, {{0, "c"}})));
  EXPECT_TRUE(absl::IsDataLoss(PutPart(7, 1, true, {{0, "b"}}, /*map=*/3)));
  EXPECT_TRUE(absl::IsInvalidArgument(PutPart(7, 1, true, {{1, "b"}, {0, "a"}})));
  ASSERT_TRUE(PutPart(7, 1, true, {{0, "b"}}).ok());
  EXPECT_THAT(Read(1, 0, 1), ElementsAre("a", "b"));
  EXPECT_EQ(budget_.used_bytes(), 2u);
}

TEST_F(PartsTest, GoWithTheShuffle) {
  ASSERT_TRUE(PutPart(7, 0, false, {{0, "a"}}).ok());
  store_.Drop(1);
  EXPECT_EQ(budget_.used_bytes(), 0u);
  EXPECT_TRUE(absl::IsFailedPrecondition(PutPart(7, 1, true, {{0, "b"}})));
}

TEST_F(ShuffleStoreTest, MapsThatFinishAtOnceMakeEachPartitionReadyOnce) {
  constexpr uint32_t kMaps = 8;
  constexpr uint32_t kReduces = 16;
  for (int64_t shuffle = 0; shuffle < 50; ++shuffle) {
    for (uint32_t reduce = 0; reduce < kReduces; ++reduce) {
      ASSERT_FALSE(store_.ReadyOrExpect({shuffle, reduce}, kMaps));
    }
    std::vector<std::thread> maps;
    for (uint32_t map = 0; map < kMaps; ++map) {
      maps.emplace_back([&, map] {
        ASSERT_TRUE(Put(shuffle, map, std::vector<std::string>(kReduces, "")).ok());
      });
    }
    for (std::thread& map : maps) map.join();
    EXPECT_EQ(store_.TakeReady().size(), kReduces);
    store_.Drop(shuffle);
  }
}

TEST_F(ShuffleStoreTest, WhatComesAfterTheDropIsRefused) {
  ASSERT_TRUE(Put(1, 0, {"a"}).ok());
  store_.Drop(1);
  store_.Drop(2);  // Of which nothing has come yet.
  EXPECT_EQ(Put(1, 1, {"b"}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Put(2, 0, {std::string(200, 'b')}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_.shuffle_count(), 0u);
  EXPECT_EQ(budget_.used_bytes(), 0u);
  disk_.RemoveDiscarded();
  EXPECT_THAT(*fs_.List("/spill"), IsEmpty());
}

// Tables as long as the numbers say would have gigabytes.
TEST_F(ShuffleStoreTest, HighNumbersOfPartitionsCostNoMemory) {
  constexpr uint32_t kLast = (1 << 20) - 1;
  const size_t bytes_before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (int64_t shuffle_id = 1; shuffle_id <= 20; ++shuffle_id) {
    MapOutput output;
    output.shuffle_id = shuffle_id;
    output.map_partition = kLast;
    for (const uint32_t reduce : {kLast - 2, kLast - 1, kLast})
      output.pieces.emplace_back(reduce, Buffer());
    EXPECT_TRUE(store_.Put(std::move(output)).ok());
    EXPECT_FALSE(store_.ReadyOrExpect({shuffle_id, kLast - 3}, 1));
    EXPECT_TRUE(store_.ReadyOrExpect({shuffle_id, kLast}, 1));
    EXPECT_THAT(Read(shuffle_id, kLast, 1), IsEmpty());
  }
  EXPECT_LT(mallinfo2().uordblks + mallinfo2().hblkhd, bytes_before + (1 << 20));
}

}  // namespace
}  // namespace millrace::internal
