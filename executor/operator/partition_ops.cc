#include "executor/operator/partition_ops.h"

namespace millrace::internal {
namespace {

using Partial = HashedRecord<SingleKey, int64_t>;

struct Summer : ChunkSink<Partial> {
  using ChunkSink<Partial>::ChunkSink;
  bool Consume(Partial* records, size_t count) override {
    for (size_t i = 0; i < count; ++i) sum += records[i].value;
    return true;
  }
  int64_t sum = 0;
};

}  // namespace

bool SumCountsOperator::Compute(TaskNode& node, AnySink* out) const {
  ChunkSink<int64_t>* const sink = SinkOf<int64_t>(out);
  if (sink == nullptr) return FailWrongSink(node);
  Summer summer(node);
  return node.RunInput(summer) && sink->Push(&summer.sum, 1);
}

bool AlignedUnionOperator::Compute(TaskNode& node, AnySink* out) const {
  if (out == nullptr) return FailWrongSink(node);
  for (int i = 0; i < node.input_count(); ++i) {
    if (!node.RunInput(i, *out)) return false;
  }
  return true;
}

}  // namespace millrace::internal
