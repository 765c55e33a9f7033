#include "common/base/call_guarded.h"

#include <exception>

#include "absl/strings/str_cat.h"

namespace millrace::internal {

absl::Status CallGuarded(const std::string& what, const std::function<absl::Status()>& call) {
  try {
    return call();
  } catch (const std::exception& error) {
    return absl::UnknownError(absl::StrCat(what, ": ", error.what()));
  } catch (...) {
    return absl::UnknownError(absl::StrCat(what, ": threw something that is no std::exception"));
  }
}

}  // namespace millrace::internal
