// How large the settings want an application and its workers to be.
#ifndef MILLRACE_COMMON_CONFIG_DEMAND_H_
#define MILLRACE_COMMON_CONFIG_DEMAND_H_

#include "absl/status/statusor.h"
#include "common/config/conf.h"
#include "proto/application.pb.h"

namespace millrace {

// InvalidArgument names the key.
absl::StatusOr<proto::Demand> DemandOf(const Conf& conf);

// The workers that an application begins with, where there is room for `possible` now: as many as
// it says, else all that there is room for. With dynamic allocation within its bounds. From 1 to
// `workers_max`.
absl::StatusOr<int> WorkersAtFirst(const Conf& conf, int possible, int workers_max);
// It does not say how many, and is to have those too that there will be room for later.
absl::StatusOr<bool> TakesAllWorkers(const Conf& conf);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONFIG_DEMAND_H_
