// A range of offsets of a partitioned log (common/partition_log) as records.
#ifndef MILLRACE_EXECUTOR_OPERATOR_LOG_RECORDS_H_
#define MILLRACE_EXECUTOR_OPERATOR_LOG_RECORDS_H_

#include <cstdint>
#include <string>

#include "common/partition_log/log_format.h"
#include "executor/operator/operator_base.h"

namespace millrace::internal {

struct LogSplit {
  std::string path;
  int64_t from_offset = 0;
  int64_t until_offset = 0;  // Not in it.
  LogPlace seek;             // A place at or before `from_offset`.

  template <class Archive>
  void serialize(Archive& archive) {
    archive(path, from_offset, until_offset, seek);
  }
};

// All records of the range, however often it is read; a log that has not got them all fails the
// task. An empty range opens no file. Binding: split, an encoded LogSplit.
class LogRecordsOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_LOG_RECORDS_H_
