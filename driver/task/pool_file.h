// The file that describes the pools of FAIR scheduling.
#ifndef MILLRACE_DRIVER_TASK_POOL_FILE_H_
#define MILLRACE_DRIVER_TASK_POOL_FILE_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "driver/task/scheduling_pools.h"

namespace millrace::internal {

// The pools by name, of a text in Spark's format:
//
//   <?xml version="1.0"?>
//   <allocations>
//     <pool name="dashboards">
//       <schedulingMode>FAIR</schedulingMode>   <!-- FIFO (the default) or FAIR -->
//       <weight>2</weight>                      <!-- at least 1, which is the default -->
//       <minShare>3</minShare>                  <!-- at least 0, which is the default -->
//     </pool>
//   </allocations>
//
// InvalidArgument: anything else; the message has the line's number.
absl::StatusOr<std::map<std::string, PoolSpec>> ParsePools(std::string_view text);

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_TASK_POOL_FILE_H_
