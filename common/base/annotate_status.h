// Telling, on the way up, what was being done when an error arose.
#ifndef MILLRACE_COMMON_BASE_ANNOTATE_STATUS_H_
#define MILLRACE_COMMON_BASE_ANNOTATE_STATUS_H_

#include <string_view>

#include "absl/status/status.h"

namespace millrace {

// `status` with "context: " before its message, unless that is there already; its code and payloads
// are kept. OK stays OK.
absl::Status AnnotateStatus(const absl::Status& status, std::string_view context);

}  // namespace millrace

#endif  // MILLRACE_COMMON_BASE_ANNOTATE_STATUS_H_
