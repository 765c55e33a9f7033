// Records kept, or dropped, for what another data set has of their keys.
#ifndef MILLRACE_EXECUTOR_OPERATOR_SEMI_JOIN_H_
#define MILLRACE_EXECUTOR_OPERATOR_SEMI_JOIN_H_

#include <memory>
#include <utility>

#include "executor/operator/keyed.h"
#include "executor/operator/operator_base.h"

namespace millrace::internal {

enum class KeepKeys : bool { kMissing, kPresent };

// Passes on the records of input 0 whose keys are present in input 1, or missing there.
// Input 0: HashedRecord<K, V>; input 1: HashedRecord<K, W>, of which the keys alone are looked at.
template <class K, class V, class W, KeepKeys keep>
class SemiJoinOperator : public Operator {
 public:
  using Out = std::pair<K, V>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    KeyGatherer keys(node);
    if (!node.RunInput(1, keys)) return false;
    Filter filter(node, *sink, keys.table);
    return node.RunInput(0, filter);
  }

 private:
  struct Nothing {};
  using Table = CombineTable<K, Nothing>;

  struct KeyGatherer : ChunkSink<HashedRecord<K, W>> {
    using ChunkSink<HashedRecord<K, W>>::ChunkSink;
    bool keeps_views() const override { return false; }
    bool Consume(HashedRecord<K, W>* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        bool is_new = false;
        table.FindOrAdd(records[i].hash, records[i].key, is_new, [] { return Nothing(); });
      }
      return true;
    }
    Table table;
  };

  struct Filter : Kernel<HashedRecord<K, V>, Out> {
    Filter(TaskNode& node, ChunkSink<Out>& out, Table& table)
        : Kernel<HashedRecord<K, V>, Out>(node, out), table(table), buffer(out) {}
    bool Consume(HashedRecord<K, V>* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        const bool is_present = table.Find(records[i].hash, records[i].key) != nullptr;
        if (is_present != (keep == KeepKeys::kPresent)) continue;
        if (!buffer.Emplace(std::move(records[i].key), std::move(records[i].value))) return false;
      }
      return buffer.Flush();
    }
    Table& table;
    ChunkBuffer<Out> buffer;
  };
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_SEMI_JOIN_H_
