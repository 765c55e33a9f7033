#include "common/base/mistake.h"

#ifndef NDEBUG

namespace millrace {

Mistake internal::made_mistake = Mistake::kNone;

void Make(Mistake mistake) { internal::made_mistake = mistake; }

}  // namespace millrace

#endif
