// Leaves that read files of encoded records.
#ifndef MILLRACE_EXECUTOR_OPERATOR_OBJECT_FILE_SOURCE_H_
#define MILLRACE_EXECUTOR_OPERATOR_OBJECT_FILE_SOURCE_H_

#include <functional>
#include <string_view>

#include "executor/operator/operator_base.h"
#include "executor/operator/records_source.h"

namespace millrace::internal {

// Calls `push` for the records of each frame of the file that the node's split names, which are
// pinned. False as Operator::Compute.
bool PushObjectFile(TaskNode& node, const std::function<bool(std::string_view records)>& push);

// A file that SaveAsObjectFile has written. Binding: split, the path.
template <class T>
class ObjectFileOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<T>* const sink = SinkOf<T>(out);
    if (sink == nullptr) return FailWrongSink(node);
    return PushObjectFile(node, [&node, sink](std::string_view records) {
      return PushEncoded<T>(node, records, *sink);
    });
  }
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_OBJECT_FILE_SOURCE_H_
