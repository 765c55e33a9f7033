#include "common/env/peer_transport.h"

#include <utility>

#include "proto/peer.pb.h"

namespace millrace {

void PeerTransport::Put(int64_t worker_id, proto::PeerRequest request, std::vector<Buffer> bytes,
                        Done done) {
  auto& field = request.has_put_block() ? *request.mutable_put_block()->mutable_buffers()
                                        : *request.mutable_put_map_output()->mutable_pieces();
  for (Buffer& buffer : bytes) {
    field.Add(std::string(buffer.view()));
    buffer = Buffer();  // Not both at once.
  }
  Call(worker_id, std::move(request), std::move(done));
}

}  // namespace millrace
