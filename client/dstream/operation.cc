#include "client/dstream/operation.h"

namespace millrace::internal {

std::string ToString(const Operation& operation) {
  return WithPlace(operation.name, operation.where);
}

}  // namespace millrace::internal
