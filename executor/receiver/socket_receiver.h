// A receiver that connects to a host and reads what it sends.
#ifndef MILLRACE_EXECUTOR_RECEIVER_SOCKET_RECEIVER_H_
#define MILLRACE_EXECUTOR_RECEIVER_SOCKET_RECEIVER_H_

#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "executor/receiver/receiver_base.h"
#include "executor/receiver/socket_address.h"
#include "executor/receiver/tcp_connection.h"

namespace millrace::internal {

// Reads on a thread of its own. When the connection cannot be made, is lost or is closed, it asks
// for a restart and says why; a stop wakes the thread at once.
class SocketReceiver : public ReceiverBase {
 public:
  explicit SocketReceiver(SocketAddress peer) : peer_(std::move(peer)) {}

  void OnStart() override;
  void OnStop() override;

 protected:
  // Reads until the connection ends, and says why it did.
  virtual absl::Status ReadAll(TcpConnection& connection) = 0;

 private:
  void Run();

  const SocketAddress peer_;
  WakeFlag wake_;
  std::thread thread_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_SOCKET_RECEIVER_H_
