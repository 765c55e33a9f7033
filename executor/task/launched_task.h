// One attempt at a task, from its launch to its status.
#ifndef MILLRACE_EXECUTOR_TASK_LAUNCHED_TASK_H_
#define MILLRACE_EXECUTOR_TASK_LAUNCHED_TASK_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "executor/shuffle/map_output_writer.h"
#include "executor/task/stage_plan.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Made by the worker core, lent to a task thread while it runs, and the core's again afterwards.
// Only `cancelled` is touched by both at once.
struct LaunchedTask {
  proto::TaskRequest request;
  std::shared_ptr<const ParsedPlan> plan;
  std::vector<std::pair<int64_t, std::shared_ptr<const std::string>>> broadcasts;
  std::atomic<bool> cancelled{false};

  proto::TaskStatus status;  // Filled by the run.
  // What the task wrote, where it has succeeded but for acknowledgements; else null.
  std::unique_ptr<MapOutputWriter> output;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_TASK_LAUNCHED_TASK_H_
