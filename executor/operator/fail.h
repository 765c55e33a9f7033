// The leaf of a data set that could not be made.
#ifndef MILLRACE_EXECUTOR_OPERATOR_FAIL_H_
#define MILLRACE_EXECUTOR_OPERATOR_FAIL_H_

#include <string>

#include "executor/operator/operator_base.h"

namespace millrace::internal {

std::string EncodeFailure(const absl::Status& status);

// Fails its task: transformations return a data set at once, so that an error in making one (a
// missing file, a failed sample) comes back from the action that asks for it. Params:
// EncodeFailure.
class FailOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_FAIL_H_
