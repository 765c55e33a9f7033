// How large the settings want an application and its workers to be.
#ifndef MILLRACE_COMMON_CONFIG_DEMAND_H_
#define MILLRACE_COMMON_CONFIG_DEMAND_H_

#include "absl/status/statusor.h"
#include "common/config/conf.h"
#include "proto/application.pb.h"

namespace millrace {

// InvalidArgument names the key.
absl::StatusOr<proto::Demand> DemandOf(const Conf& conf);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONFIG_DEMAND_H_
