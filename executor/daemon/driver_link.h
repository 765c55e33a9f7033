// The executor daemon's connection to the driver daemon.
#ifndef MILLRACE_EXECUTOR_DAEMON_DRIVER_LINK_H_
#define MILLRACE_EXECUTOR_DAEMON_DRIVER_LINK_H_

#include <functional>

#include "absl/status/status.h"
#include "proto/driver.pb.h"

namespace millrace {

// One connection at a time. Threads: the daemon core's event loop, on which the callbacks come too.
class DriverLink {
 public:
  struct Callbacks {
    std::function<void(const proto::ToExecutor&)> on_message;
    std::function<void(const absl::Status&)> on_closed;  // Once, and last.
  };

  virtual ~DriverLink() = default;

  // When there is none: the first was not opened, or the last has been closed.
  virtual void Open(Callbacks callbacks) = 0;
  // Lost when there is none.
  virtual void Send(proto::FromExecutor message) = 0;
};

}  // namespace millrace

#endif  // MILLRACE_EXECUTOR_DAEMON_DRIVER_LINK_H_
