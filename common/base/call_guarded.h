// The border at which exceptions of users' code become errors.
#ifndef MILLRACE_COMMON_BASE_CALL_GUARDED_H_
#define MILLRACE_COMMON_BASE_CALL_GUARDED_H_

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace millrace::internal {

// What `call` returns; what it throws, as an Unknown error that begins with `what` was being done.
absl::Status CallGuarded(const std::string& what, const std::function<absl::Status()>& call);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_BASE_CALL_GUARDED_H_
