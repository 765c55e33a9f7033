#include "executor/task/task_runner.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "executor/task/ticks.h"

namespace millrace::internal {

namespace {

// Counters by plan node; ticks become a share of the time that the whole run took.
void AddOperatorMetrics(const TaskRun& run, size_t plan_node_count, int64_t run_nanos,
                        int64_t run_ticks, proto::TaskStatus& status) {
  const double nanos_per_tick =
      run_ticks > 0 ? static_cast<double>(run_nanos) / static_cast<double>(run_ticks) : 0;
  std::vector<proto::OperatorMetrics*> by_node(plan_node_count);
  status.mutable_operators()->Reserve(
      static_cast<int>(std::min(plan_node_count, run.nodes().size())));
  for (const RunNode& node : run.nodes()) {
    proto::OperatorMetrics*& metrics = by_node[node.plan_index()];
    if (metrics == nullptr) {
      metrics = status.add_operators();
      metrics->set_node(node.plan_index());
    }
    const double nanos = static_cast<double>(node.counters().ticks) * nanos_per_tick;
    metrics->set_records(metrics->records() + node.counters().records);
    metrics->set_nanos(metrics->nanos() + std::llround(nanos));
  }
}

void SetOutcome(TaskRun& run, proto::TaskStatus& status) {
  if (run.cancelled()) {
    status.set_outcome(proto::TaskStatus::CANCELLED);
  } else if (run.failed()) {
    SetFailure(run.status(), status);
    const bool is_known = status.outcome() != proto::TaskStatus::FAILED;
    if (run.has_missed_peer() && !is_known) status.set_outcome(proto::TaskStatus::PEER_MISS);
  } else {
    status.set_outcome(proto::TaskStatus::SUCCEEDED);
    status.set_result(run.TakeResult());
  }
}

}  // namespace

void SetFailure(const absl::Status& error, proto::TaskStatus& status) {
  status.set_outcome(status.lost_cached_size() > 0   ? proto::TaskStatus::CACHE_MISS
                     : status.lost_blocks_size() > 0 ? proto::TaskStatus::BLOCK_MISS
                                                     : proto::TaskStatus::FAILED);
  status.set_error_code(static_cast<int32_t>(error.code()));
  status.set_error_message(std::string(error.message()));
  status.clear_accumulators();
}

void TaskRunner::Run(LaunchedTask& launched) const {
  const int64_t nanos_before = services_.nanos();
  const int64_t ticks_before = ReadTicks();
  proto::TaskStatus& status = launched.status;
  status.set_task_id(launched.request.task_id());

  TaskRun run(services_, launched);
  run.Run();
  SetOutcome(run, status);
  if (status.outcome() == proto::TaskStatus::SUCCEEDED) {
    launched.output = run.TakeUnacknowledged();
  } else {
    services_.states.Abort(launched.request.task_id());
  }

  const int64_t ticks = ReadTicks() - ticks_before;
  const int64_t nanos = services_.nanos() - nanos_before;
  status.set_run_micros(nanos / 1000);
  AddOperatorMetrics(run, launched.plan->nodes().size(), nanos, ticks, status);
}

}  // namespace millrace::internal
