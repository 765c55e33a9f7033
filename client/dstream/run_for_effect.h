// Computing a data set whose records nobody wants.
#ifndef MILLRACE_CLIENT_DSTREAM_RUN_FOR_EFFECT_H_
#define MILLRACE_CLIENT_DSTREAM_RUN_FOR_EFFECT_H_

#include <string>

#include "absl/status/status.h"
#include "client/rdd/context_state.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

// Makes the update of state that `rdd` stands for, on all of its partitions, and reads nothing of
// what it puts out.
absl::Status RunForEffect(const ContextRef& context, const RddRef& rdd, const std::string& label);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_RUN_FOR_EFFECT_H_
