// How often each value occurs, counted where the records are.
#ifndef MILLRACE_EXECUTOR_OPERATOR_COUNT_VALUES_H_
#define MILLRACE_EXECUTOR_OPERATOR_COUNT_VALUES_H_

#include <cstdint>

#include "executor/operator/keyed.h"
#include "executor/operator/operator_base.h"

namespace millrace::internal {

// Root that returns (value, its number) for each distinct value of the partition.
template <class T>
class CountValuesOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Counter counter(node);
    if (!node.RunInput(counter)) return false;
    Encoder encoder;
    counter.table.ForEach([&encoder](uint64_t /*hash*/, const T& value, int64_t count) {
      Encode(encoder, value);
      Encode(encoder, count);
      return true;
    });
    node.task().SetResult(encoder.ToString());
    return true;
  }

 private:
  struct Counter : ChunkSink<T> {
    using ChunkSink<T>::ChunkSink;
    bool keeps_views() const override { return false; }
    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        bool is_new = false;
        ++table.FindOrAdd(StableHash(records[i]), records[i], is_new, [] { return int64_t{0}; });
      }
      return true;
    }
    CombineTable<T, int64_t> table;
  };
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_COUNT_VALUES_H_
