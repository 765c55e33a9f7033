// What may be in a registration, and whose it is.
#ifndef MILLRACE_DRIVER_DAEMON_REGISTRATION_H_
#define MILLRACE_DRIVER_DAEMON_REGISTRATION_H_

#include <cstdint>

#include "absl/status/status.h"
#include "proto/application.pb.h"
#include "proto/daemon_state.pb.h"
#include "proto/driver.pb.h"

namespace millrace {

inline constexpr int kWorkerCoresMax = 1 << 16;

// False: it cannot be right. What is in it is counted against what others get.
bool IsPossible(const proto::RegisterExecutor& request);
// InvalidArgument: it cannot be right.
absl::Status CheckDemand(const proto::Demand& demand);

// Workers of one program can be those of another one with the same.
uint64_t FingerprintOf(const proto::Program& program);
// It comes from the submission that the application is of.
bool IsOfSubmission(const proto::ApplicationRecord& record,
                    const proto::RegisterApplication& request);

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_REGISTRATION_H_
