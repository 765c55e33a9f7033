// Whether two processes run the same program.
#ifndef MILLRACE_CLIENT_CLUSTER_BINARY_DIGEST_H_
#define MILLRACE_CLIENT_CLUSTER_BINARY_DIGEST_H_

#include <string>

#include "absl/status/statusor.h"

namespace millrace::internal {

// Of this process's executable file, as it was started: XXH3-128, in hexadecimal. It guards against
// mistakes, not against malice. Reads the file each time.
absl::StatusOr<std::string> BinaryDigest();

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_BINARY_DIGEST_H_
