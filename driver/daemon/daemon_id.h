// Ids that the driver daemon gives away.
#ifndef MILLRACE_DRIVER_DAEMON_DAEMON_ID_H_
#define MILLRACE_DRIVER_DAEMON_DAEMON_ID_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace millrace {

// "app-20261126093000-0007": a kind, when, and a number, from `first_number` on. `is_taken` says of
// an id whether there is one. In the order of time, so that a list of names is one of history.
template <class IsTaken>
std::string NewDaemonId(const char* kind, int64_t now_micros, int first_number,
                        const IsTaken& is_taken) {
  const std::string when =
      absl::FormatTime("%Y%m%d%H%M%S", absl::FromUnixMicros(now_micros), absl::UTCTimeZone());
  for (int number = first_number;; ++number) {
    std::string id = absl::StrFormat("%s-%s-%04d", kind, when, number);
    if (!is_taken(id)) return id;
  }
}

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_DAEMON_ID_H_
