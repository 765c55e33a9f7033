// A request to another worker, with bytes that are sent from where they lie.
#ifndef MILLRACE_COMMON_RPC_PEER_MESSAGE_H_
#define MILLRACE_COMMON_RPC_PEER_MESSAGE_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <vector>

#include "common/memory/buffer.h"
#include "proto/peer.pb.h"

namespace millrace::internal {

// What a peer reads is a PeerRequest: `bytes` stand behind the pieces of its PutMapOutput, or the
// buffers of its PutBlock. Any other request has none.
struct PeerMessage {
  proto::PeerRequest request;
  std::vector<Buffer> bytes{};

  // As sent.
  size_t ByteSizeLong() const;
  // Large buffers are referred to, and released when they are sent; the rest is copied.
  grpc::ByteBuffer ToBytes() const;
};

}  // namespace millrace::internal

template <>
class grpc::SerializationTraits<millrace::internal::PeerMessage> {
 public:
  static Status Serialize(const millrace::internal::PeerMessage& message, ByteBuffer* bytes,
                          bool* own_buffer) {
    *bytes = message.ToBytes();
    *own_buffer = true;
    return Status::OK;
  }
};

#endif  // MILLRACE_COMMON_RPC_PEER_MESSAGE_H_
