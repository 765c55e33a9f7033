// Runs a task and says how it went.
#ifndef MILLRACE_EXECUTOR_TASK_TASK_RUNNER_H_
#define MILLRACE_EXECUTOR_TASK_TASK_RUNNER_H_

#include "executor/task/launched_task.h"
#include "executor/task/task_run.h"

namespace millrace::internal {

// Threads: Run on any number of task threads at once, each with a task of its own.
class TaskRunner {
 public:
  explicit TaskRunner(const TaskServices& services) : services_(services) {}

  // Fills `launched.status`, whatever operators and bindings do: nothing is thrown. State that the
  // task changed is held for the driver's verdict if the task succeeded, else undone. A success is
  // one when other workers have acknowledged `launched.output`, where there is one.
  void Run(LaunchedTask& launched) const;

 private:
  const TaskServices services_;
};

// The status of an attempt that did not run.
void SetFailure(const absl::Status& error, proto::TaskStatus& status);

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_TASK_TASK_RUNNER_H_
