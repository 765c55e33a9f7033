#include "tests/unit/common/plan/same_named_types.h"

namespace millrace::internal {
namespace {

// The other file has a function of this name with a lambda in this place.
const RegistryEntry* Local() {
  return EntryOf([] { return std::string("first"); });
}

}  // namespace

const RegistryEntry* FirstFilesEntry() { return Local(); }

}  // namespace millrace::internal
