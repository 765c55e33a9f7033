// Writes the part file of a task of a saving job. Included by user programs.
#ifndef MILLRACE_EXECUTOR_SINK_PART_WRITER_H_
#define MILLRACE_EXECUTOR_SINK_PART_WRITER_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "common/fs/atomic_output.h"
#include "executor/task/task_node.h"

namespace millrace::internal {

// The part is written under a hidden name with the attempt's number in it and gets its own name
// when it is complete; the job's body on the driver (AtomicOutput) then gives the whole directory
// its name. So what a failed, repeated or late attempt wrote is never seen.
//
// Errors fail the task: every method returns false then. One task, one thread.
class PartWriter {
 public:
  // `node` is bound to the directory to write into.
  explicit PartWriter(TaskNode& node) : node_(node) {}

  bool Open();
  bool Append(std::string_view bytes);
  // The file is complete.
  bool Commit();

 private:
  TaskNode& node_;
  std::optional<PartFile> file_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SINK_PART_WRITER_H_
