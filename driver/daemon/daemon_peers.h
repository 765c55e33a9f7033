// How the daemon's core answers those that are connected to it.
#ifndef MILLRACE_DRIVER_DAEMON_DAEMON_PEERS_H_
#define MILLRACE_DRIVER_DAEMON_DAEMON_PEERS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "proto/application.pb.h"
#include "proto/driver.pb.h"

namespace millrace {

// One connection of a peer; never used again.
using SessionId = int64_t;
inline constexpr SessionId kNoSession = 0;

// Messages arrive in order or the session is closed. Unknown sessions are fine: they have been
// closed, and the core will hear of it.
class DaemonPeers {
 public:
  virtual ~DaemonPeers() = default;

  virtual void SendToExecutor(SessionId session, proto::ToExecutor message) = 0;
  virtual void SendToApplication(SessionId session, proto::ToApplication message) = 0;
  // After what was sent.
  virtual void Close(SessionId session, absl::Status status) = 0;
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_DAEMON_PEERS_H_
