#include "executor/service/peer_service.h"

#include <string>
#include <utility>

#include "executor/service/valid_utf8.h"

namespace millrace::internal {

proto::PeerReply PeerService::Handle(proto::PeerRequest request) {
  absl::Status status;
  switch (request.kind_case()) {
    case proto::PeerRequest::kPutMapOutput:
      status = PutMapOutput(*request.mutable_put_map_output());
      break;
    case proto::PeerRequest::KIND_NOT_SET:
      status = absl::UnimplementedError("a request of a kind that this worker does not know");
      break;
  }
  proto::PeerReply reply;
  reply.set_error_code(static_cast<int>(status.code()));
  reply.set_error_message(ValidUtf8(std::string(status.message())));
  return reply;
}

absl::Status PeerService::PutMapOutput(proto::PutMapOutput& put) {
  if (put.reduce_partitions_size() != put.buckets_size()) {
    return absl::InvalidArgumentError("a map output has other numbers of buckets and partitions");
  }
  MapOutput output;
  output.shuffle_id = put.shuffle_id();
  output.map_partition = put.map_partition();
  output.buckets.reserve(static_cast<size_t>(put.buckets_size()));
  for (int i = 0; i < put.buckets_size(); ++i) {
    std::string& bytes = *put.mutable_buckets(i);
    output.buckets.emplace_back(put.reduce_partitions(i),
                                bytes.empty() ? Buffer() : Buffer(std::move(bytes)));
  }
  return shuffles_.Put(std::move(output));
}

}  // namespace millrace::internal
