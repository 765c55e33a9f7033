// What the stages of recent batches did and cost, operator by operator.
#ifndef MILLRACE_DRIVER_DAG_BATCH_METRICS_H_
#define MILLRACE_DRIVER_DAG_BATCH_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "driver/dag/plan_cache.h"
#include "driver/dag/stage.h"

namespace millrace::internal {

struct OperatorReport {
  std::string label;  // "Map at wc.cc:14"
  int64_t records = 0;
  int64_t nanos = 0;
};

struct StageReport {
  int64_t stage_id = 0;
  int64_t job_id = 0;
  std::string label;
  int task_count = 0;
  int64_t run_micros = 0;   // Of all tasks together.
  int64_t wait_micros = 0;  // Between arrival at the worker and the start.
  int64_t shuffle_bytes_written = 0;
  std::vector<OperatorReport> operators;
};

// Keeps the latest kBatchesMax batches that had a stage. Cheap to fill: labels are looked up when
// somebody asks.
//
// Threads: the driver core's event loop.
class BatchMetrics {
 public:
  static constexpr size_t kBatchesMax = 1000;  // As many as the UI retains.

  // The stage is complete and will not be used again.
  void Add(Stage& stage);
  // In the order in which they completed; empty for a batch that is not known (any more).
  std::vector<StageReport> Of(int64_t batch_time_ms) const;

 private:
  struct Part {
    PlanRef plan;
    std::vector<OperatorSum> sums;
  };
  struct Entry {
    StageReport totals;  // Without label and operators.
    std::vector<Part> parts;
  };

  std::deque<std::pair<int64_t, std::vector<Entry>>> batches_;  // The newest last.
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_DAG_BATCH_METRICS_H_
