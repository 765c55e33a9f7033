#include "executor/operator/keyed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/function/bind_front.h"
#include "tests/support/fake_task.h"

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;

// A shuffle by hand: map partitions are written by WriteOp, reduce partitions read by the caller.
template <class K, class V>
class Shuffle {
 public:
  explicit Shuffle(int reduce_partitions) : buckets_(static_cast<size_t>(reduce_partitions)) {}

  template <class WriteOp>
  void Map(Chunks<std::pair<K, V>> chunks, const string& params = "") {
    FakeTask task;
    FakeNode& write = task.Node<WriteOp>(params, {&task.Feed<std::pair<K, V>>(std::move(chunks))});
    write.reduce_partitions = static_cast<int>(buckets_.size());
    ASSERT_TRUE(task.RunRoot(write)) << task.status();
    for (auto& [partition, bytes] : write.written_buckets) {
      ASSERT_LT(static_cast<size_t>(partition), buckets_.size());
      ASSERT_FALSE(bytes.empty());
      buckets_[static_cast<size_t>(partition)].push_back(Buffer(bytes));
    }
  }

  // Runs `ReduceOp` over each partition; In: what travelled.
  template <class ReduceOp, class In>
  std::vector<std::vector<Owned<typename ReduceOp::Out>>> Reduce(const string& params = "",
                                                                 bool keeps_views = false) {
    std::vector<std::vector<Owned<typename ReduceOp::Out>>> results;
    for (const std::vector<Buffer>& buckets : buckets_) {
      FakeTask task;
      FakeNode& read = task.Node<ShuffleReadOperator<K, In>>();
      read.read_buffers = buckets;
      FakeNode& reduce = task.Node<ReduceOp>(params, {&read});
      results.push_back(task.Run<typename ReduceOp::Out>(reduce, keeps_views));
      EXPECT_TRUE(task.succeeded) << task.status();
    }
    return results;
  }

  template <class In>
  std::vector<std::vector<HashedRecord<Owned<K>, Owned<In>>>> Read() {
    std::vector<std::vector<HashedRecord<Owned<K>, Owned<In>>>> results;
    for (const std::vector<Buffer>& buckets : buckets_) {
      auto& records = results.emplace_back();
      for (const Buffer& bucket : buckets) {
        Decoder decoder(bucket.view());
        while (!decoder.done()) Decode(decoder, records.emplace_back());
        EXPECT_FALSE(decoder.failed());
      }
    }
    return results;
  }

 private:
  std::vector<std::vector<Buffer>> buckets_;  // By reduce partition.
};

template <class Parts>
auto Joined(const Parts& parts) {
  typename Parts::value_type all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

template <class Parts>
auto Sorted(const Parts& parts) {
  auto all = Joined(parts);
  std::sort(all.begin(), all.end());
  return all;
}

using Counts = std::vector<std::pair<string, int64_t>>;

TEST(ShuffleWriteTest, SendsEachRecordToItsKeysPartition) {
  Shuffle<string_view, int> shuffle(4);
  Chunks<std::pair<string_view, int>> chunks(3);
  for (int i = 0; i < 3000; ++i) {
    chunks[static_cast<size_t>(i % 3)].emplace_back("key" + std::to_string(i % 100), i);
  }
  shuffle.Map<ShuffleWriteOperator<string_view, int, HashPartition>>(chunks);
  const auto parts = shuffle.Read<int>();
  std::map<string, size_t> partition_of;
  std::vector<int> values;
  for (size_t p = 0; p < parts.size(); ++p) {
    EXPECT_FALSE(parts[p].empty());
    for (const auto& record : parts[p]) {
      EXPECT_EQ(record.hash, StableHash(record.key));
      EXPECT_EQ(partition_of.emplace(record.key, p).first->second, p);
      values.push_back(record.value);
    }
  }
  EXPECT_EQ(partition_of.size(), 100u);
  std::sort(values.begin(), values.end());
  for (int i = 0; i < 3000; ++i) EXPECT_EQ(values[static_cast<size_t>(i)], i);
}

TEST(ShuffleWriteTest, KeepsTheOrderWithinAKey) {
  Shuffle<int, int> shuffle(2);
  shuffle.Map<ShuffleWriteOperator<int, int, HashPartition>>({{{1, 1}, {2, 1}, {1, 2}}, {{1, 3}}});
  std::vector<int> values;
  for (const auto& record : Joined(shuffle.Read<int>())) {
    if (record.key == 1) values.push_back(record.value);
  }
  EXPECT_EQ(values, (std::vector<int>{1, 2, 3}));
}

struct Modulo {
  int divisor = 1;
  int GetPartition(const int& key) const { return key % divisor; }
  int NumPartitions() const { return divisor; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(divisor);
  }
};

TEST(UserPartitionTest, DecidesAndIsWrappedAround) {
  Shuffle<int, int> shuffle(3);
  using Write = ShuffleWriteOperator<int, int, UserPartition<Modulo>>;
  shuffle.Map<Write>({{{0, 0}, {1, 0}, {5, 0}, {-1, 0}, {4, 0}}},
                     EncodeFunctions(UserPartition<Modulo>{{5}}).bytes);
  std::vector<std::set<int>> keys(3);
  const auto parts = shuffle.Read<int>();
  for (size_t p = 0; p < 3; ++p) {
    for (const auto& record : parts[p]) keys[p].insert(record.key);
  }
  // 4 lies outside the three partitions there are: its remainder is 1. -1 counts from the end.
  EXPECT_EQ(keys, (std::vector<std::set<int>>{{0, 5}, {1, 4}, {-1}}));
}

struct ByLength {
  int GetPartition(const string& key) const { return static_cast<int>(key.size()); }
};

TEST(UserPartitionTest, MayTakeTheOwnedFormOfTheKey) {
  const UserPartition<ByLength> partition;
  EXPECT_EQ(partition(0, string_view("abcd"), 3), 1);
}

TEST(HashPartitionTest, StaysWithinThePartitions) {
  for (const int partitions : {1, 2, 3, 1000}) {
    for (const uint64_t hash : {uint64_t{0}, uint64_t{1} << 32, UINT64_MAX}) {
      const int partition = HashPartition()(hash, 0, partitions);
      EXPECT_GE(partition, 0);
      EXPECT_LT(partition, partitions);
    }
  }
}

template <class V, class F>
using Reducing = ReducePolicy<V, F>;

TEST(CombineTest, CountsWordsAcrossMapPartitions) {
  using Policy = Reducing<int64_t, std::plus<>>;
  for (const bool keeps_views : {false, true}) {
    Shuffle<string_view, int64_t> shuffle(3);
    using Write = CombineWriteOperator<string_view, Policy, HashPartition>;
    shuffle.Map<Write>({{{"a", 1}, {"b", 1}}, {{"a", 1}}});
    shuffle.Map<Write>({{{"b", 5}, {"c", 1}}});
    shuffle.Map<Write>({});
    const auto parts =
        shuffle.Reduce<CombineOperator<string_view, Policy>, int64_t>("", keeps_views);
    EXPECT_EQ(Sorted(parts), (Counts{{"a", 2}, {"b", 6}, {"c", 1}}));
  }
}

TEST(CombineTest, CombinesBeforeRecordsTravel) {
  using Policy = Reducing<int64_t, std::plus<>>;
  Shuffle<string_view, int64_t> shuffle(1);
  shuffle.Map<CombineWriteOperator<string_view, Policy, HashPartition>>(
      {std::vector<std::pair<string, int64_t>>(1000, {"a", 1})});
  EXPECT_EQ(shuffle.Read<int64_t>()[0].size(), 1u);
}

TEST(CombineTest, AgreesWithAMapOnRandomRecords) {
  using Policy = Reducing<int64_t, std::plus<>>;
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    std::map<string, int64_t> expected;
    Shuffle<string_view, int64_t> shuffle(1 + static_cast<int>(random() % 5));
    for (unsigned partition = 0; partition < 3; ++partition) {
      Chunks<std::pair<string_view, int64_t>> chunks(random() % 4);
      for (auto& chunk : chunks) {
        for (unsigned i = random() % 3000; i > 0; --i) {
          const string key(random() % 40, static_cast<char>('a' + random() % 3));
          const auto value = static_cast<int64_t>(random() % 100);
          chunk.emplace_back(key, value);
          expected[key] += value;
        }
      }
      shuffle.Map<CombineWriteOperator<string_view, Policy, HashPartition>>(chunks);
    }
    const auto parts = shuffle.Reduce<CombineOperator<string_view, Policy>, int64_t>();
    EXPECT_EQ(Sorted(parts), Counts(expected.begin(), expected.end())) << "seed " << seed;
  }
}

TEST(CombineTest, AFullTableIsFlushedAndTheCountsStay) {
  using Policy = Reducing<int64_t, std::plus<>>;
  constexpr int64_t kKeys = 70'000;  // Of a kilobyte each: more than the table may hold.
  Shuffle<string_view, int64_t> shuffle(2);
  Chunks<std::pair<string_view, int64_t>> chunks;
  for (int64_t i = 0; i < kKeys + 1000; ++i) {
    if (i % 1024 == 0) chunks.emplace_back();
    chunks.back().emplace_back(string(1024, 'k') + std::to_string(i % kKeys), 1);
  }
  shuffle.Map<CombineWriteOperator<string_view, Policy, HashPartition>>(std::move(chunks));
  size_t travelled = 0;
  for (const auto& part : shuffle.Read<int64_t>()) travelled += part.size();
  EXPECT_GT(travelled, static_cast<size_t>(kKeys)) << "the table was never flushed";
  const auto parts = shuffle.Reduce<CombineOperator<string_view, Policy>, int64_t>();
  size_t keys = 0;
  int64_t sum = 0;
  for (const auto& part : parts) {
    keys += part.size();
    for (const auto& [key, count] : part) sum += count;
  }
  EXPECT_EQ(keys, static_cast<size_t>(kKeys));
  EXPECT_EQ(sum, kKeys + 1000);
}

TEST(ReducePolicyTest, ValuesThatAreViewsAreOwned) {
  const auto longer = [](string_view a, string_view b) { return b.size() > a.size() ? b : a; };
  using Policy = Reducing<string_view, std::remove_const_t<decltype(longer)>>;
  for (const bool keeps_views : {false, true}) {
    Shuffle<int, string_view> shuffle(2);
    shuffle.Map<CombineWriteOperator<int, Policy, HashPartition>>(
        {{{1, "a"}, {1, "bb"}}, {{1, "c"}, {2, "d"}}});
    const auto parts = shuffle.Reduce<CombineOperator<int, Policy>, string_view>("", keeps_views);
    EXPECT_EQ(Sorted(parts), (std::vector<std::pair<int, string>>{{1, "bb"}, {2, "d"}}));
  }
}

TEST(CombinePolicyTest, CreateMergeValueMergeCombiners) {
  // (count, concatenation) of values.
  using C = std::pair<int, string>;
  const auto create = [](string_view v) { return C(1, v); };
  const auto merge_value = [](C c, string_view v) { return C(c.first + 1, c.second + string(v)); };
  const auto merge = [](C a, C b) { return C(a.first + b.first, a.second + b.second); };
  using First = CombinePolicy<string_view, C, std::remove_const_t<decltype(create)>,
                              std::remove_const_t<decltype(merge_value)>>;
  using Second = MergePolicy<C, std::remove_const_t<decltype(merge)>>;
  Shuffle<int, string_view> shuffle(1);
  shuffle.Map<CombineWriteOperator<int, First, HashPartition>>({{{1, "a"}, {1, "b"}, {2, "x"}}});
  shuffle.Map<CombineWriteOperator<int, First, HashPartition>>({{{1, "c"}}});
  EXPECT_EQ(Sorted(shuffle.Reduce<CombineOperator<int, Second>, C>()),
            (std::vector<std::pair<int, C>>{{1, {3, "abc"}}, {2, {1, "x"}}}));
}

TEST(CombinePolicyTest, ACreatedViewBecomesAnOwnedCombiner) {
  const auto identity = [](string_view v) { return v; };
  const auto last = [](const string&, string_view v) { return v; };
  using First = CombinePolicy<string_view, string, std::remove_const_t<decltype(identity)>,
                              std::remove_const_t<decltype(last)>>;
  Shuffle<int, string_view> shuffle(1);
  shuffle.Map<CombineWriteOperator<int, First, HashPartition>>({{{1, "first"}}, {{1, "last"}}});
  const auto records = shuffle.Read<string>()[0];
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].value, "last");
}

TEST(GroupPolicyTest, KeepsAllValuesInOrder) {
  for (const bool keeps_views : {false, true}) {
    Shuffle<string_view, string_view> shuffle(2);
    using Write = ShuffleWriteOperator<string_view, string_view, HashPartition>;
    shuffle.Map<Write>({{{"k", "1"}, {"l", "x"}}, {{"k", "2"}}});
    shuffle.Map<Write>({{{"k", "3"}}});
    const auto parts =
        shuffle.Reduce<CombineOperator<string_view, GroupPolicy<string_view>>, string_view>(
            "", keeps_views);
    EXPECT_EQ(Sorted(parts), (std::vector<std::pair<string, std::vector<string>>>{
                                 {"k", {"1", "2", "3"}}, {"l", {"x"}}}));
  }
}

TEST(CombineTest, FunctionsMayCarryData) {
  const auto capped_sum = BindFront([](int cap, int a, int b) { return std::min(cap, a + b); }, 10);
  using Policy = Reducing<int, std::remove_const_t<decltype(capped_sum)>>;
  const string policy = EncodeFunctions(Policy{capped_sum}).bytes;
  Shuffle<int, int> shuffle(1);
  shuffle.Map<CombineWriteOperator<int, Policy, HashPartition>>({{{1, 6}, {1, 7}}}, policy);
  EXPECT_EQ(Joined(shuffle.Reduce<CombineOperator<int, Policy>, int>(policy)),
            (std::vector<std::pair<int, int>>{{1, 10}}));
}

TEST(CombineTest, AnExceptionLeavesNothingBehind) {
  const auto throws = [](const string& a, const string& b) -> string {
    if (a.size() > 50) throw std::runtime_error("too long");
    return a + b;
  };
  using Policy = Reducing<string, std::remove_const_t<decltype(throws)>>;
  FakeTask task;
  FakeNode& write = task.Node<CombineWriteOperator<int, Policy, HashPartition>>(
      "", {&task.Feed<std::pair<int, string>>(
              {{{1, string(40, 'a')}, {1, string(40, 'b')}, {1, string(40, 'c')}}})});
  EXPECT_THROW(task.RunRoot(write), std::runtime_error);
}

TEST(AddHashTest, PutsTheHashBeforeTheRecord) {
  FakeTask task;
  FakeNode& node = task.Node<AddHashOperator<string_view, int>>(
      "", {&task.Feed<std::pair<string_view, int>>({{{"a", 1}}, {{"b", 2}}})});
  const auto& records = task.Run<HashedRecord<string_view, int>>(node, /*keeps_views=*/true);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].hash, StableHash(string_view("a")));
  EXPECT_EQ(records[1].key, "b");
  EXPECT_EQ(records[1].value, 2);
}

TEST(ShuffleWriteTest, AFullShuffleStoreFailsTheTask) {
  FakeTask task;
  FakeNode& write = task.Node<ShuffleWriteOperator<int, int, HashPartition>>(
      "", {&task.Feed<std::pair<int, int>>({{{1, 1}}})});
  write.service_status = absl::ResourceExhaustedError("no room");
  EXPECT_FALSE(task.RunRoot(write));
  EXPECT_EQ(task.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(ShuffleWriteTest, ALargeBucketIsHandedOverInPieces) {
  FakeTask task;
  Chunks<std::pair<int, int>> chunks;
  for (int i = 0; i < 30; ++i) chunks.push_back({{i, i}, {i, -i}});
  FakeNode& write = task.Node<ShuffleWriteOperator<int, int, HashPartition>>(
      "", {&task.Feed<std::pair<int, int>>(chunks)});
  write.piece_bytes = 50;
  ASSERT_TRUE(task.RunRoot(write));
  EXPECT_GT(write.written_pieces, 5);

  FakeTask reduce;
  FakeNode& read = reduce.Node<ShuffleReadOperator<int, int>>("", {});
  read.read_buffers = {Buffer(write.written_buckets[0])};
  EXPECT_EQ((reduce.Run<HashedRecord<int, int>>(read, false).size()), 60u);
}

TEST(ShuffleWriteTest, AFailureMidwayStopsTheTask) {
  FakeTask task;
  FakeNode& feed = task.Feed<std::pair<int, int>>({{{1, 1}}, {{2, 2}}, {{3, 3}}, {{4, 4}}});
  FakeNode& write = task.Node<ShuffleWriteOperator<int, int, HashPartition>>("", {&feed});
  write.piece_bytes = 1;
  write.service_status = absl::UnavailableError("no peer");
  EXPECT_FALSE(task.RunRoot(write));
  EXPECT_EQ(feed.counters().records, 2) << "it went on after the second one had failed";
}

}  // namespace
}  // namespace millrace::internal
