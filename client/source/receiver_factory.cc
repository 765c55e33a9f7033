#include "client/source/receiver_factory.h"

#include <cxxabi.h>

#include <cstdlib>

namespace millrace::internal {

std::string ClassName(const std::type_info& type) {
  int status = 0;
  char* const demangled = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? demangled : type.name();
  std::free(demangled);
  // Colons within template arguments are not the class's own.
  const size_t scope = name.rfind("::", name.find('<'));
  return scope == std::string::npos ? name : name.substr(scope + 2);
}

}  // namespace millrace::internal
