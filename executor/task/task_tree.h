// Resolves a plan for one partition.
#ifndef MILLRACE_EXECUTOR_TASK_TASK_TREE_H_
#define MILLRACE_EXECUTOR_TASK_TASK_TREE_H_

#include <cstdint>
#include <deque>

#include "absl/status/status.h"
#include "executor/task/task_run.h"

namespace millrace::internal {

// A coalesce of many partitions makes a large tree of a small plan; this bounds what a request may
// ask for.
inline constexpr size_t kTaskTreeNodesMax = size_t{1} << 18;

// Adds the tree of `run`'s task to `nodes`, its root first, with the request's bindings given out
// in depth-first preorder. InvalidArgument: the bindings do not fit the plan.
absl::Status BuildTaskTree(TaskRun& run, const LaunchedTask& launched, std::deque<RunNode>& nodes);

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_TASK_TASK_TREE_H_
