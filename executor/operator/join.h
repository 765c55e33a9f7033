// CoGroup and joins: two or more keyed inputs, brought together by key.
#ifndef MILLRACE_EXECUTOR_OPERATOR_JOIN_H_
#define MILLRACE_EXECUTOR_OPERATOR_JOIN_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "executor/operator/join_table.h"
#include "executor/operator/keyed.h"
#include "executor/operator/operator_base.h"

namespace millrace::internal {

// The value lists of one key: a pair for two inputs, a tuple for more.
template <class... Vs>
struct CoGrouped {
  using type = std::tuple<std::vector<Vs>...>;
};
template <class V, class W>
struct CoGrouped<V, W> {
  using type = std::pair<std::vector<V>, std::vector<W>>;
};

// Output: (key, the values of each input) for every key of any input.
// Input i: HashedRecord<K, Vi>.
template <class K, class... Vs>
class CoGroupOperator : public Operator {
 public:
  using Groups = typename CoGrouped<Vs...>::type;
  using Out = std::pair<K, Groups>;
  using Table = CombineTable<K, Groups>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    auto table = std::make_shared<Table>();
    if (!Gather(node, *table, std::index_sequence_for<Vs...>())) return false;
    node.task().Keep(table);  // The records pushed view its keys.
    ChunkBuffer<Out> buffer(*sink);
    return table->ForEach([&](uint64_t /*hash*/, const K& key, Groups& groups) {
      return buffer.Emplace(key, std::move(groups));
    }) && buffer.Flush();
  }

 private:
  template <size_t input>
  struct Gatherer : ChunkSink<HashedRecord<K, std::tuple_element_t<input, std::tuple<Vs...>>>> {
    using Record = HashedRecord<K, std::tuple_element_t<input, std::tuple<Vs...>>>;
    Gatherer(TaskNode& node, Table& table) : ChunkSink<Record>(node), table(table) {}
    bool Consume(Record* records, size_t count) override {
      uint64_t hashes[kChunkRecords];
      for (size_t start = 0; start < count; start += kChunkRecords) {
        const size_t part = std::min(count - start, kChunkRecords);
        Record* const first = records + start;
        for (size_t i = 0; i < part; ++i) hashes[i] = first[i].hash;
        ProbeAhead(table, hashes, part, [&](size_t i) {
          bool is_new = false;
          Groups& groups =
              table.FindOrAdd(hashes[i], first[i].key, is_new, [] { return Groups(); });
          std::get<input>(groups).push_back(std::move(first[i].value));
          return true;
        });
      }
      return true;
    }
    Table& table;
  };

  template <size_t... inputs>
  static bool Gather(TaskNode& node, Table& table, std::index_sequence<inputs...>) {
    return (GatherOne<inputs>(node, table) && ...);
  }
  template <size_t input>
  static bool GatherOne(TaskNode& node, Table& table) {
    Gatherer<input> gatherer(node, table);
    return node.RunInput(input, gatherer);
  }
};

enum class JoinKind { kInner, kLeftOuter, kRightOuter, kFullOuter };

template <class V, class W, JoinKind kind>
struct JoinedValues {
  static constexpr bool kLeftMayMiss =
      kind == JoinKind::kRightOuter || kind == JoinKind::kFullOuter;
  static constexpr bool kRightMayMiss =
      kind == JoinKind::kLeftOuter || kind == JoinKind::kFullOuter;
  using Left = std::conditional_t<kLeftMayMiss, std::optional<V>, V>;
  using Right = std::conditional_t<kRightMayMiss, std::optional<W>, W>;
  using type = std::pair<Left, Right>;
};

// Output: (key, (left, right)) for each pair of values of a key; where an outer join misses one
// side, an empty optional. The left input is kept in a table, the right one passes by it.
// Input 0: HashedRecord<K, V>; input 1: HashedRecord<K, W>.
template <class K, class V, class W, JoinKind kind>
class JoinOperator : public Operator {
 public:
  using Values = JoinedValues<V, W, kind>;
  using Out = std::pair<K, typename Values::type>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Left left;
    Gatherer gatherer(node, left);
    if (!node.RunInput(0, gatherer)) return false;
    left.Build();
    Prober prober(node, left, *sink);
    if (!node.RunInput(1, prober)) return false;
    return (!Values::kRightMayMiss || prober.EmitUnmatched()) && prober.buffer.Flush();
  }

 private:
  using Left = JoinTable<K, V>;

  struct Gatherer : ChunkSink<HashedRecord<K, V>> {
    Gatherer(TaskNode& node, Left& left)
        : ChunkSink<HashedRecord<K, V>>(node), task(node.task()), left(left) {}
    bool Consume(HashedRecord<K, V>* records, size_t count) override {
      if (count > Left::kRecordsMax - left.size()) {
        return task.Fail(absl::ResourceExhaustedError(
            "a partition of the left side has over 4 billion records; use more partitions"));
      }
      for (size_t i = 0; i < count; ++i) {
        left.Add(records[i].hash, std::move(records[i].key), std::move(records[i].value));
      }
      return true;
    }
    TaskContext& task;
    Left& left;
  };

  struct Prober : ChunkSink<HashedRecord<K, W>> {
    Prober(TaskNode& node, Left& left, ChunkSink<Out>& out)
        : ChunkSink<HashedRecord<K, W>>(node), left(left), buffer(out) {}
    bool Consume(HashedRecord<K, W>* records, size_t count) override {
      return left.ForEachMatch(
          count, [&](size_t i) { return records[i].hash; },
          [&](size_t i) -> const K& { return records[i].key; },
          [&](size_t i, typename Left::Record& match) {
            match.is_matched = true;
            return buffer.Emplace(records[i].key,
                                  typename Values::type(match.value, records[i].value));
          },
          [&](size_t i) { return EmitWithoutLeft(records[i]); });
    }
    bool EmitWithoutLeft(HashedRecord<K, W>& record) {
      if constexpr (Values::kLeftMayMiss) {
        return buffer.Emplace(record.key, typename Values::type(std::nullopt, record.value));
      }
      return true;
    }
    bool EmitUnmatched() {
      if constexpr (Values::kRightMayMiss) {
        return left.ForEach([this](typename Left::Record& record) {
          return record.is_matched ||
                 buffer.Emplace(record.key, typename Values::type(record.value, std::nullopt));
        });
      }
      return true;
    }
    Left& left;
    ChunkBuffer<Out> buffer;
  };
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_JOIN_H_
