// Blocks of encoded records from a socket.
#ifndef MILLRACE_EXECUTOR_RECEIVER_RAW_SOCKET_RECEIVER_H_
#define MILLRACE_EXECUTOR_RECEIVER_RAW_SOCKET_RECEIVER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "executor/receiver/socket_receiver.h"

namespace millrace::internal {

// The peer sends frames:
//   | size u32, big-endian | that many bytes: encoded records, one after the other |
// Each becomes a block as it is, of an unknown number of records; one of no bytes is passed over.
class RawSocketReceiver final : public SocketReceiver {
 public:
  // A larger frame cannot be one: what follows it would be read at the wrong place, so the
  // connection is given up.
  static constexpr uint32_t kFrameBytesMax = uint32_t{64} << 20;

  using SocketReceiver::SocketReceiver;

 private:
  absl::Status ReadAll(TcpConnection& connection) override;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_RAW_SOCKET_RECEIVER_H_
