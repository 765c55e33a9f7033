#include "executor/operator/range.h"

#include <algorithm>

namespace millrace::internal {

bool RangeOperator::Compute(TaskNode& node, AnySink* out) const {
  ChunkSink<int64_t>* const sink = SinkOf<int64_t>(out);
  if (sink == nullptr) return FailWrongSink(node);
  const absl::StatusOr<std::string_view> binding = node.Split();
  if (!binding.ok()) return node.task().Fail(binding.status());
  RangeSplit split;
  if (!DecodeFromBytes(*binding, split)) return FailWrongParams(node);
  int64_t chunk[kChunkRecords];
  // Unsigned: the step behind the last number may leave the range of int64_t.
  auto value = static_cast<uint64_t>(split.first);
  while (split.count > 0) {
    if (node.task().cancelled()) return false;
    const auto size = static_cast<size_t>(std::min<uint64_t>(split.count, kChunkRecords));
    for (size_t i = 0; i < size; ++i, value += static_cast<uint64_t>(split.step)) {
      chunk[i] = static_cast<int64_t>(value);
    }
    if (!sink->Push(chunk, size)) return false;
    split.count -= size;
  }
  return true;
}

}  // namespace millrace::internal
