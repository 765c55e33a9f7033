// A job: one action, from its submission to its result.
#ifndef MILLRACE_DRIVER_DAG_JOB_H_
#define MILLRACE_DRIVER_DAG_JOB_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "driver/lineage/rdd_node.h"
#include "driver/service/driver_handle.h"

namespace millrace::internal {

class Stage;

using JobDone = std::function<void(absl::StatusOr<JobResult>)>;

struct Job {
  static constexpr int64_t kNoState = -1;

  int64_t id = 0;
  JobSpec spec;
  JobDone done;

  JobResult result;
  std::vector<bool> has_result;  // By index in spec.partitions.
  std::vector<Stage*> stages;    // In flight that it needs; all of them list it.
  int restarts = 0;              // After the loss of a worker that it used.
  // Map stages that it was waiting for when it was started again. What was made of their outputs
  // may be there, but the job counts in accumulators what all their tasks did.
  std::vector<Dependency> owed_maps;

  // Of a job of the driver's own, which makes lost partitions of that state again.
  int64_t repaired_state = kNoState;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_DAG_JOB_H_
