// All pairs of the records of two data sets.
#ifndef MILLRACE_EXECUTOR_OPERATOR_CARTESIAN_H_
#define MILLRACE_EXECUTOR_OPERATOR_CARTESIAN_H_

#include <utility>

#include "executor/operator/operator_base.h"
#include "executor/operator/partition_ops.h"

namespace millrace::internal {

// Each record of input 0 with each of input 1, whose partition is held in memory.
template <class T, class U>
class CartesianOperator : public Operator {
 public:
  using Out = std::pair<T, U>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Gatherer<U> right(node);
    if (!node.RunInput(1, right)) return false;
    Pairer pairer(node, *sink, right.records);
    return node.RunInput(0, pairer) && pairer.buffer.Flush();
  }

 private:
  struct Pairer : Kernel<T, Out> {
    Pairer(TaskNode& node, ChunkSink<Out>& out, const std::vector<U>& right)
        : Kernel<T, Out>(node, out), right(right), buffer(out) {}
    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        for (const U& other : right) {
          if (!buffer.Emplace(records[i], other)) return false;
        }
      }
      // What views the input chunk's bytes must be gone before those may be reused.
      return this->out_.keeps_views() || buffer.Flush();
    }
    const std::vector<U>& right;
    ChunkBuffer<Out> buffer;
  };
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_CARTESIAN_H_
