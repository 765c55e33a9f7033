// Where an application runs, as its master URL says.
#ifndef MILLRACE_CLIENT_LOCAL_MASTER_H_
#define MILLRACE_CLIENT_LOCAL_MASTER_H_

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"

namespace millrace::internal {

// Task threads in this process.
struct LocalMaster {
  int task_threads = 1;
  // Attempts that a task has; none: as configured (millrace.task.maxFailures).
  std::optional<int> task_max_failures;
};

// `local`, `local[N]`, `local[*]` (every core of the machine), each of the bracketed forms also with
// the number of attempts: `local[N,F]`. InvalidArgument for anything else, with what may stand there.
absl::StatusOr<LocalMaster> ParseMaster(std::string_view master);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_MASTER_H_
