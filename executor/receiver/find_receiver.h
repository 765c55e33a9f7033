// Receivers by name.
#ifndef MILLRACE_EXECUTOR_RECEIVER_FIND_RECEIVER_H_
#define MILLRACE_EXECUTOR_RECEIVER_FIND_RECEIVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "executor/receiver/receiver_base.h"

namespace millrace::internal {

// Asks the factory of that name, ours or one that the program registered. NotFound: this program
// has none. What a factory throws becomes an error too.
absl::StatusOr<std::unique_ptr<ReceiverBase>> MakeReceiver(const std::string& factory_name,
                                                           const std::string& params);

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_FIND_RECEIVER_H_
