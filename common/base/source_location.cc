#include "common/base/source_location.h"

#include <ostream>
#include <string_view>

namespace millrace::internal {

std::string ToString(const Location& location) {
  std::string_view file = location.file;
  const size_t slash = file.rfind('/');
  if (slash != std::string_view::npos) file.remove_prefix(slash + 1);
  std::string text(file);
  text += ':';
  text += std::to_string(location.line);
  return text;
}

std::string WithPlace(std::string_view what, const Location& where) {
  std::string text(what);
  if (where.line != 0) text += " at " + ToString(where);
  return text;
}

std::ostream& operator<<(std::ostream& os, const Location& location) {
  return os << ToString(location);
}

}  // namespace millrace::internal
