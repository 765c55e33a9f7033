// Records with a key on their way through a shuffle: partitioned, combined, read back.
//
//   map side     pair<K, V>  --ShuffleWrite or CombineWrite-->  buckets of HashedRecord
//   reduce side  buckets  --ShuffleRead-->  HashedRecord  --Combine, Join, CoGroup, ...-->  pair
//
// The hash of a key is computed once, on the map side. It serves the map side's table, chooses the
// partition, travels with the record and serves the reduce side's table.
#ifndef MILLRACE_EXECUTOR_OPERATOR_KEYED_H_
#define MILLRACE_EXECUTOR_OPERATOR_KEYED_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/record/stable_hash.h"
#include "executor/operator/combine_table.h"
#include "executor/operator/operator_base.h"
#include "executor/operator/records_source.h"

namespace millrace::internal {

template <class K, class V>
struct HashedRecord {
  uint64_t hash = 0;
  K key{};
  V value{};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(hash, key, value);
  }
};

// The default partitioner. It takes the top bits of the hash, the tables those from bit 33 upwards,
// so that the keys of one partition still spread over a table.
struct HashPartition {
  template <class K>
  int operator()(uint64_t hash, const K& /*key*/, int partitions) const {
    return static_cast<int>(((hash >> 32) * static_cast<uint64_t>(partitions)) >> 32);
  }
};

// A user's partitioner: `int GetPartition(const K&) const`. What lies outside the partitions is
// wrapped around, as a remainder.
template <class P>
struct UserPartition {
  P partitioner{};

  template <class K>
  int operator()(uint64_t /*hash*/, const K& key, int partitions) const {
    int64_t chosen;
    if constexpr (requires { partitioner.GetPartition(key); }) {
      chosen = static_cast<int64_t>(partitioner.GetPartition(key));
    } else {
      chosen = static_cast<int64_t>(partitioner.GetPartition(ToOwned<K>(key)));
    }
    const int64_t remainder = chosen % partitions;
    return static_cast<int>(remainder < 0 ? remainder + partitions : remainder);
  }
  template <class Archive>
  void serialize(Archive& archive) {
    if constexpr (!std::is_empty_v<P>) archive(partitioner);
  }
};

// A growing bucket for each reduce partition, handed over in pieces as it grows.
class ShuffleBuckets {
 public:
  explicit ShuffleBuckets(TaskNode& node)
      : node_(node), piece_bytes_(node.shuffle_piece_bytes()), buckets_(BucketCount(node)) {}

  int count() const { return static_cast<int>(buckets_.size()); }
  // To encode one record into.
  Encoder& bucket(int partition) {
    Encoder& bucket = buckets_[static_cast<size_t>(partition)];
    if (bucket.size() >= piece_bytes_) [[unlikely]]
      HandOverPiece(partition);
    return bucket;
  }
  // The task has failed: no more records are of use.
  bool failed() const { return node_.task().failed(); }
  // The rest. False when the task failed.
  bool HandOver();

 private:
  static size_t BucketCount(TaskNode& node);
  void HandOverPiece(int partition);

  TaskNode& node_;
  const size_t piece_bytes_;
  std::vector<Encoder> buckets_;
};

// How far ahead of the probe a table's slots are prefetched, in records.
inline constexpr size_t kPrefetchAhead = 32;

// Calls `probe(i)` for each of `count` hashes while the table's memory for later ones arrives.
template <class Table, class Probe>
bool ProbeAhead(const Table& table, const uint64_t* hashes, size_t count, Probe probe) {
  for (size_t i = 0; i < kPrefetchAhead && i < count; ++i) table.Prefetch(hashes[i]);
  for (size_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) table.Prefetch(hashes[i + kPrefetchAhead]);
    if (!probe(i)) return false;
  }
  return true;
}

// Root of a map stage that combines nothing. Params: partitioner. Binding: output.
template <class K, class V, class P>
class ShuffleWriteOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    Writer writer(node, DecodeFunction<P>(params));
    if (params.failed()) return FailWrongParams(node);
    return node.RunInput(writer) && writer.buckets.HandOver();
  }

 private:
  struct Writer : ChunkSink<std::pair<K, V>> {
    Writer(TaskNode& node, P partitioner)
        : ChunkSink<std::pair<K, V>>(node), buckets(node), partition(std::move(partitioner)) {}
    bool keeps_views() const override { return false; }

    bool Consume(std::pair<K, V>* records, size_t count) override {
      uint64_t hashes[kChunkRecords];
      for (size_t start = 0; start < count; start += kChunkRecords) {
        const size_t part = std::min(count - start, kChunkRecords);
        std::pair<K, V>* const first = records + start;
        StableHashKeys(&first->first, sizeof(*first), part, hashes);
        for (size_t i = 0; i < part; ++i) {
          Encoder& bucket = buckets.bucket(partition(hashes[i], first[i].first, buckets.count()));
          bucket.PutFixed(hashes[i]);
          Encode(bucket, first[i].first);
          Encode(bucket, first[i].second);
        }
      }
      return !buckets.failed();
    }

    ShuffleBuckets buckets;
    const P partition;
  };
};

// Root of a map stage that combines records of one key before they travel. `Policy` says how (see
// below); what travels is its Group. Params: policy, partitioner. Binding: output.
template <class K, class Policy, class P>
class CombineWriteOperator : public Operator {
 public:
  using V = typename Policy::In;
  using Group = typename Policy::Group;

  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    Policy policy = DecodeFunction<Policy>(params);
    P partitioner = DecodeFunction<P>(params);
    if (params.failed()) return FailWrongParams(node);
    Combiner combiner(node, std::move(policy), std::move(partitioner));
    if (!node.RunInput(combiner)) return false;
    combiner.Spill();
    return combiner.buckets.HandOver();
  }

 private:
  // Over this the table's groups are moved to the buckets and it starts anew: it stays within the
  // processor's cache share and its memory is bounded, at the price of some keys travelling twice.
  static constexpr size_t kTableBytesMax = size_t{64} << 20;

  struct Combiner : ChunkSink<std::pair<K, V>> {
    Combiner(TaskNode& node, Policy p, P partitioner)
        : ChunkSink<std::pair<K, V>>(node),
          buckets(node),
          policy(std::move(p)),
          partition(std::move(partitioner)) {}
    bool keeps_views() const override { return kHoldsViews<Group>; }

    bool Consume(std::pair<K, V>* records, size_t count) override {
      uint64_t hashes[kChunkRecords];
      for (size_t start = 0; start < count; start += kChunkRecords) {
        const size_t part = std::min(count - start, kChunkRecords);
        std::pair<K, V>* const first = records + start;
        StableHashKeys(&first->first, sizeof(*first), part, hashes);
        ProbeAhead(table, hashes, part, [&](size_t i) {
          bool is_new = false;
          Group& group = table.FindOrAdd(hashes[i], first[i].first, is_new,
                                         [&] { return policy.Make(std::move(first[i].second)); });
          if (!is_new) policy.Merge(group, std::move(first[i].second));
          return true;
        });
      }
      if (table.memory_bytes() > kTableBytesMax) Spill();
      return !buckets.failed();
    }

    void Spill() {
      table.ForEach([this](uint64_t hash, const K& key, const Group& group) {
        Encoder& bucket = buckets.bucket(partition(hash, key, buckets.count()));
        bucket.PutFixed(hash);
        Encode(bucket, key);
        Encode(bucket, group);
        return true;
      });
      table.Clear();
    }

    CombineTable<K, Group> table;
    ShuffleBuckets buckets;
    const Policy policy;
    const P partition;
  };
};

// Leaf of a reduce stage. Binding: shuffle.
template <class K, class V>
class ShuffleReadOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    return PushEncoded<HashedRecord<K, V>>(node, node.ShuffleBuckets(), out);
  }
};

// Stands in for a ShuffleRead where the input is partitioned already.
template <class K, class V>
class AddHashOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<HashedRecord<K, V>>* const sink = SinkOf<HashedRecord<K, V>>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Hasher hasher(node, *sink);
    return node.RunInput(hasher);
  }

 private:
  struct Hasher : Kernel<std::pair<K, V>, HashedRecord<K, V>> {
    Hasher(TaskNode& node, ChunkSink<HashedRecord<K, V>>& out)
        : Kernel<std::pair<K, V>, HashedRecord<K, V>>(node, out), buffer(out) {}
    bool Consume(std::pair<K, V>* records, size_t count) override {
      uint64_t hashes[kChunkRecords];
      for (size_t start = 0; start < count; start += kChunkRecords) {
        const size_t part = std::min(count - start, kChunkRecords);
        std::pair<K, V>* const first = records + start;
        StableHashKeys(&first->first, sizeof(*first), part, hashes);
        for (size_t i = 0; i < part; ++i) {
          if (!buffer.Emplace(HashedRecord<K, V>{hashes[i], std::move(first[i].first),
                                                 std::move(first[i].second)})) {
            return false;
          }
        }
      }
      return buffer.Flush();
    }
    ChunkBuffer<HashedRecord<K, V>> buffer;
  };
};

// The records as they were before the shuffle. Input: HashedRecord<K, V>.
template <class K, class V>
class DropHashOperator : public Operator {
 public:
  using Out = std::pair<K, V>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Dropper dropper(node, *sink);
    return node.RunInput(dropper);
  }

 private:
  struct Dropper : Kernel<HashedRecord<K, V>, Out> {
    Dropper(TaskNode& node, ChunkSink<Out>& out)
        : Kernel<HashedRecord<K, V>, Out>(node, out), buffer(out) {}
    bool Consume(HashedRecord<K, V>* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        if (!buffer.Emplace(std::move(records[i].key), std::move(records[i].value))) return false;
      }
      return buffer.Flush();
    }
    ChunkBuffer<Out> buffer;
  };
};

// Combines all values of a key. Input: HashedRecord<K, Policy::In>. Params: policy.
template <class K, class Policy>
class CombineOperator : public Operator {
 public:
  using In = HashedRecord<K, typename Policy::In>;
  using Group = typename Policy::Group;
  using Out = std::pair<K, typename Policy::Out>;
  using Table = CombineTable<K, Group>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Decoder params(node.params());
    Combiner combiner(node, DecodeFunction<Policy>(params));
    if (params.failed()) return FailWrongParams(node);
    if (!node.RunInput(combiner)) return false;
    // The records pushed below view keys and groups of the table.
    node.task().Keep(combiner.table);
    ChunkBuffer<Out> buffer(*sink);
    return combiner.table->ForEach([&](uint64_t /*hash*/, const K& key, Group& group) {
      return buffer.Emplace(key, combiner.policy.Emit(group));
    }) && buffer.Flush();
  }

 private:
  struct Combiner : ChunkSink<In> {
    Combiner(TaskNode& node, Policy p) : ChunkSink<In>(node), policy(std::move(p)) {}
    bool keeps_views() const override { return kHoldsViews<Group>; }

    bool Consume(In* records, size_t count) override {
      uint64_t hashes[kChunkRecords];
      for (size_t start = 0; start < count; start += kChunkRecords) {
        const size_t part = std::min(count - start, kChunkRecords);
        In* const first = records + start;
        for (size_t i = 0; i < part; ++i) hashes[i] = first[i].hash;
        ProbeAhead(*table, hashes, part, [&](size_t i) {
          bool is_new = false;
          Group& group = table->FindOrAdd(hashes[i], first[i].key, is_new,
                                          [&] { return policy.Make(std::move(first[i].value)); });
          if (!is_new) policy.Merge(group, std::move(first[i].value));
          return true;
        });
      }
      return true;
    }

    std::shared_ptr<Table> table = std::make_shared<Table>();
    const Policy policy;
  };
};

// -----------------------------------------------------------------------------------------------
// Policies: what a key's values become. In comes in, Group stands in the table and travels, Out
// goes out. Make and Merge may throw what the user's functions throw.

// reduce: f(V, V) -> V. A group owns what V views; Out views the group.
template <class V, class F>
struct ReducePolicy {
  using In = V;
  using Group = Owned<V>;
  using Out = V;
  F f;

  Group Make(V&& value) const { return ToOwned<V>(std::move(value)); }
  void Merge(Group& group, V&& value) const { FoldInto<V>(f, group, std::move(value)); }
  Out Emit(Group& group) const {
    if constexpr (kHoldsViews<V>) {
      return ViewOf<V>(group);
    } else {
      return std::move(group);
    }
  }
  template <class Archive>
  void serialize(Archive& archive) {
    if constexpr (!std::is_empty_v<F>) archive(f);
  }
};

// combine, first step: create(V) -> C, merge_value(C, V) -> C.
template <class V, class C, class Create, class MergeValue>
struct CombinePolicy {
  using In = V;
  using Group = C;
  using Out = C;
  Create create;
  MergeValue merge_value;

  Group Make(V&& value) const { return OwnedAs<C>(CallWith(create, value)); }
  void Merge(Group& group, V&& value) const {
    Group merged = OwnedAs<C>(CallWith2(merge_value, std::move(group), std::move(value)));
    group = std::move(merged);
  }
  Out Emit(Group& group) const { return std::move(group); }
  template <class Archive>
  void serialize(Archive& archive) {
    if constexpr (!std::is_empty_v<Create>) archive(create);
    if constexpr (!std::is_empty_v<MergeValue>) archive(merge_value);
  }
};

// combine, second step: merge_combiners(C, C) -> C.
template <class C, class MergeCombiners>
struct MergePolicy {
  using In = C;
  using Group = C;
  using Out = C;
  MergeCombiners merge_combiners;

  Group Make(C&& value) const { return std::move(value); }
  void Merge(Group& group, C&& value) const {
    Group merged = OwnedAs<C>(CallWith2(merge_combiners, std::move(group), std::move(value)));
    group = std::move(merged);
  }
  Out Emit(Group& group) const { return std::move(group); }
  template <class Archive>
  void serialize(Archive& archive) {
    if constexpr (!std::is_empty_v<MergeCombiners>) archive(merge_combiners);
  }
};

// group: all values, in the order of arrival.
template <class V>
struct GroupPolicy {
  using In = V;
  using Group = std::vector<V>;
  using Out = std::vector<V>;

  Group Make(V&& value) const {
    Group group;
    group.push_back(std::move(value));
    return group;
  }
  void Merge(Group& group, V&& value) const { group.push_back(std::move(value)); }
  Out Emit(Group& group) const { return std::move(group); }
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_KEYED_H_
