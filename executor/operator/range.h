// Numbers that no data set had to hold before.
#ifndef MILLRACE_EXECUTOR_OPERATOR_RANGE_H_
#define MILLRACE_EXECUTOR_OPERATOR_RANGE_H_

#include <cstdint>

#include "executor/operator/operator_base.h"

namespace millrace::internal {

// first, first + step, ...: `count` of them.
struct RangeSplit {
  int64_t first = 0;
  int64_t step = 1;
  uint64_t count = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(first, step, count);
  }
};

// Binding: split, an encoded RangeSplit. Output: int64_t.
class RangeOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_RANGE_H_
