// The end of a shared absl::Status, for the thread sanitizer build only.
//
// A Status with a message is counted by its users. Debian's Abseil is not built with the sanitizer
// and counts down inside the library, so the sanitizer does not see that the last user comes after
// the others, and calls it a data race when that one deletes what they have read. This definition
// stands in for the library's (see absl_synchronization.cc).
#include <atomic>
#include <cstdint>

#include "absl/status/status.h"

namespace absl {
ABSL_NAMESPACE_BEGIN

void Status::UnrefNonInlined(uintptr_t rep) {
  status_internal::StatusRep* const shared = RepToPointer(rep);
  if (shared->ref.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared;
}

ABSL_NAMESPACE_END
}  // namespace absl
