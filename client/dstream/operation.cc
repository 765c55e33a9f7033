#include "client/dstream/operation.h"

namespace millrace::internal {

std::string ToString(const Operation& operation) {
  return std::string(operation.name) + " at " + ToString(operation.where);
}

}  // namespace millrace::internal
