#include "executor/operator/operator_base.h"

namespace millrace::internal {

bool FailWrongSink(TaskNode& node) {
  return node.task().Fail(absl::InternalError(
      "the plan joins operators of different record types: it was not made by this binary"));
}

bool FailWrongParams(TaskNode& node) {
  return node.task().Fail(absl::InternalError(
      "the operator's parameters cannot be decoded: the plan was not made by this binary"));
}

bool FailCorruptRecords(TaskNode& node) {
  return node.task().Fail(
      absl::DataLossError("encoded records cannot be decoded: they are cut off, damaged, or of "
                          "another type than this operator's"));
}

}  // namespace millrace::internal
