// What GetOrCreate knows, before there is a context, of the driver whose checkpoint is to be gone
// on from: a context registers with its cluster when it is made, and then asks for the workers of
// that driver.
#ifndef MILLRACE_CLIENT_LOCAL_EARLIER_DRIVER_H_
#define MILLRACE_CLIENT_LOCAL_EARLIER_DRIVER_H_

#include <optional>
#include <string>

namespace millrace::internal {

struct EarlierDriver {
  // As the driver daemon called its application; empty: there is no checkpoint, or no daemon knew
  // the application.
  std::string application_id;
};

// The next context that this thread makes goes on from its checkpoint; none: it does not.
void SetEarlierDriver(std::optional<EarlierDriver> earlier);
// For the context: that of this thread, once. None: it goes on from nothing.
std::optional<EarlierDriver> TakeEarlierDriver();

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_EARLIER_DRIVER_H_
