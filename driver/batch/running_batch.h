// One batch, from its tick to its end.
#ifndef MILLRACE_DRIVER_BATCH_RUNNING_BATCH_H_
#define MILLRACE_DRIVER_BATCH_RUNNING_BATCH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "driver/batch/streaming_handle.h"

namespace millrace::internal {

// The event loop's own, but for what job threads write before the loop hears of it: `generated`,
// each job's `run` and outcome, `droppable_blocks`.
struct RunningBatch {
  explicit RunningBatch(Time batch_time) { info.batch_time = batch_time; }

  Time time() const { return info.batch_time; }
  // The first error of its generation or its jobs.
  absl::Status status() const {
    if (!generation_status.ok()) return generation_status;
    for (const absl::Status& outcome : outcomes) {
      if (!outcome.ok()) return outcome;
    }
    return absl::OkStatus();
  }

  BatchBlocks blocks;
  ReceiverStarts ended_starts;  // Since the batch before.
  absl::Status generation_status;
  GeneratedBatch generated;
  std::vector<absl::Status> outcomes;  // One a job.
  // Jobs that have not begun do not.
  std::atomic<bool> is_cancelled{false};
  BatchInfo info;

  // Of batches that came due while no driver was there, the last of those that are sure to be made:
  // until when there are more, and the next one by the graph.
  std::optional<Time> missed_until;
  Time next_missed{0};

  size_t next_job = 0;  // The first that no lane has taken.
  size_t jobs_done = 0;
  bool is_ending = false;    // All jobs are done and lanes have let go of it.
  bool is_cleared = false;   // BatchGraph::ClearCompleted has been called.
  Time droppable_blocks{0};  // What it said.
  bool is_due = false;       // The next two are set.
  int64_t submitted_micros = 0;
  int64_t started_micros = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BATCH_RUNNING_BATCH_H_
