#include "client/rdd/local_properties.h"

#include <utility>

namespace millrace::internal {

LocalProperties& ThreadProperties() {
  thread_local LocalProperties properties;
  return properties;
}

LocalPropertiesScope::LocalPropertiesScope(const LocalProperties& properties)
    : outer_(std::exchange(ThreadProperties(), properties)) {}

LocalPropertiesScope::~LocalPropertiesScope() { ThreadProperties() = std::move(outer_); }

}  // namespace millrace::internal
