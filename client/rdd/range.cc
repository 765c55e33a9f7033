#include "client/rdd/range.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "client/rdd/rdd_base.h"
#include "executor/operator/range.h"

namespace millrace::internal {
namespace {

// How many steps lead from `first` up to, but not to, `end`. Unsigned: the distance of two numbers
// may leave the range of int64_t.
uint64_t CountSteps(int64_t first, int64_t end, int64_t step) {
  if (step > 0 ? first >= end : first <= end) return 0;
  const auto a = static_cast<uint64_t>(first);
  const auto b = static_cast<uint64_t>(end);
  const uint64_t distance = step > 0 ? b - a : a - b;
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  return (distance - 1) / stride + 1;
}

}  // namespace

RddRef MakeRangeNode(const ContextRef& context, int64_t first, int64_t end, int64_t step,
                     int num_partitions, Location where) {
  const RecordTypeOperators& type = RecordOperators<int64_t>();
  const std::string label = OperatorLabel("Range", where);
  if (step == 0) {
    return MakeFailed(context, type, absl::InvalidArgumentError("the step must not be 0"), label);
  }
  const uint64_t total = CountSteps(first, end, step);
  const auto partitions = static_cast<uint64_t>(std::max(1, num_partitions));
  std::vector<std::string> splits;
  uint64_t begin = 0;
  for (uint64_t i = 0; i < partitions; ++i) {
    const uint64_t count = total / partitions + (i < total % partitions ? 1 : 0);
    const uint64_t value = static_cast<uint64_t>(first) + begin * static_cast<uint64_t>(step);
    splits.push_back(EncodeToString(RangeSplit{static_cast<int64_t>(value), step, count}));
    begin += count;
  }
  return MakeSplits(context, MakeSpec<RangeOperator>("", label, BindingKind::kSplit), type,
                    std::move(splits));
}

}  // namespace millrace::internal
