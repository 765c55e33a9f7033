// Lines of text from a socket.
#ifndef MILLRACE_EXECUTOR_RECEIVER_SOCKET_TEXT_RECEIVER_H_
#define MILLRACE_EXECUTOR_RECEIVER_SOCKET_TEXT_RECEIVER_H_

#include "absl/status/status.h"
#include "executor/receiver/socket_receiver.h"

namespace millrace::internal {

// Its blocks are the bytes as they were sent, whole lines at a time; line_framer.h says exactly
// what. A line that is too long is left out and reported.
class SocketTextReceiver final : public SocketReceiver {
 public:
  using SocketReceiver::SocketReceiver;

 private:
  absl::Status ReadAll(TcpConnection& connection) override;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_SOCKET_TEXT_RECEIVER_H_
