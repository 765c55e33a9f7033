// What the driver tells the socket receivers. Included by user programs.
#ifndef MILLRACE_EXECUTOR_RECEIVER_SOCKET_ADDRESS_H_
#define MILLRACE_EXECUTOR_RECEIVER_SOCKET_ADDRESS_H_

#include <cstdint>
#include <string>

namespace millrace::internal {

// Names of the receiver factories.
inline constexpr char kSocketTextReceiverName[] = "millrace.SocketTextReceiver";
inline constexpr char kRawSocketReceiverName[] = "millrace.RawSocketReceiver";

// Parameters of both, encoded as a record: EncodeToString(SocketAddress{"localhost", 9999}).
struct SocketAddress {
  std::string host;  // A name, an IPv4 or an IPv6 address.
  int32_t port = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(host, port);
  }
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_SOCKET_ADDRESS_H_
