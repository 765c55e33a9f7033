#include "executor/state/state.h"

namespace millrace::internal {

void ThrowStateMisuse(const char* what) { throw StateMisuse(what); }

}  // namespace millrace::internal
