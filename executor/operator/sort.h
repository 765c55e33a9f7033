// Sorting: records are sent to partitions by ranges of their keys, and sorted there.
#ifndef MILLRACE_EXECUTOR_OPERATOR_SORT_H_
#define MILLRACE_EXECUTOR_OPERATOR_SORT_H_

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/memory/large_memory.h"
#include "common/record/key_order.h"
#include "executor/operator/keyed.h"
#include "executor/operator/operator_base.h"

namespace millrace::internal {

template <class K>
concept Ordered = requires(const K& a, const K& b) {
  { a < b } -> std::convertible_to<bool>;
};

// Partition i takes the keys up to bounds[i], the last one the rest; the other way round when
// descending. Equal keys always meet.
template <class K>
struct RangePartition {
  std::vector<Owned<K>> bounds;  // Ascending.
  bool ascending = true;

  int operator()(uint64_t /*hash*/, const K& key, int partitions) const {
    const int index = std::min(FirstNotBelow(key), partitions - 1);
    return ascending ? index : partitions - 1 - index;
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(bounds, ascending);
  }

 private:
  int FirstNotBelow(const K& key) const {
    if constexpr (std::is_invocable_v<KeyOrder, const Owned<K>&, const K&>) {
      return IndexOf(std::lower_bound(bounds.begin(), bounds.end(), key, KeyOrder()));
    } else {
      return IndexOf(std::lower_bound(bounds.begin(), bounds.end(), ToOwned<K>(key), KeyOrder()));
    }
  }
  int IndexOf(typename std::vector<Owned<K>>::const_iterator bound) const {
    return static_cast<int>(bound - bounds.begin());
  }
};

// The partition's records in the order of their keys; equal keys in the order of arrival.
// Input: HashedRecord<K, V>. Params: bool ascending.
template <class K, class V>
class SortOperator : public Operator {
 public:
  using Out = std::pair<K, V>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    bool ascending = true;
    if (!DecodeFromBytes(node.params(), ascending)) return FailWrongParams(node);
    Gatherer gatherer(node);
    if (!node.RunInput(gatherer)) return false;
    const OperatorScope scope(node, 0);
    Sort(gatherer.records, ascending);
    return PushAll(gatherer.records, *sink);
  }

 private:
  using Record = HashedRecord<K, V>;

  struct Gatherer : ChunkSink<Record> {
    using ChunkSink<Record>::ChunkSink;
    bool Consume(Record* pushed, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        records.emplace_back(std::move(pushed[i].key), std::move(pushed[i].value));
      }
      return true;
    }
    LargeVector<Out> records;
  };

  static void Sort(LargeVector<Out>& records, bool ascending) {
    if (ascending) {
      std::stable_sort(records.begin(), records.end(),
                       [](const Out& a, const Out& b) { return KeyLess(a.first, b.first); });
    } else {
      std::stable_sort(records.begin(), records.end(),
                       [](const Out& a, const Out& b) { return KeyLess(b.first, a.first); });
    }
  }
  static bool PushAll(LargeVector<Out>& records, ChunkSink<Out>& sink) {
    for (size_t start = 0; start < records.size(); start += kChunkRecords) {
      const size_t count = std::min(records.size() - start, kChunkRecords);
      if (!sink.Push(records.data() + start, count)) return false;
    }
    return true;
  }
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_SORT_H_
