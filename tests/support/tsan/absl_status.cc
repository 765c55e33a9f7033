// The last step of Abseil's Status, letting go of what copies share: for the thread sanitizer build
// only. In the library, which is not built with the sanitizer, its count of copies is invisible, so
// two threads that drop copies of one error look like a data race. This definition stands in for
// the library's.
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
