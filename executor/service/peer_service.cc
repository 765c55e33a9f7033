#include "executor/service/peer_service.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/memory/compression.h"
#include "executor/service/valid_utf8.h"

namespace millrace::internal {

proto::PeerReply PeerService::Handle(proto::PeerRequest request) {
  proto::PeerReply reply;
  absl::Status status;
  if (request.has_put_map_output()) {
    status = PutMapOutput(*request.mutable_put_map_output());
  } else if (request.has_abandon_map_output()) {
    const proto::AbandonMapOutput& abandoned = request.abandon_map_output();
    shuffles_.Abandon(abandoned.shuffle_id(), abandoned.task_id());
  } else if (request.has_put_block()) {
    status = PutBlock(*request.mutable_put_block());
  } else {
    const absl::StatusOr<std::vector<Buffer>> fetched = Fetch(request);
    status = fetched.status();
    if (fetched.ok()) {
      for (const Buffer& buffer : *fetched) reply.add_buffers(buffer.data(), buffer.size());
    }
  }
  reply.set_error_code(static_cast<int>(status.code()));
  reply.set_error_message(ValidUtf8(std::string(status.message())));
  return reply;
}

absl::StatusOr<std::vector<Buffer>> PeerService::Fetch(const proto::PeerRequest& request) {
  switch (request.kind_case()) {
    case proto::PeerRequest::kFetchBlock: {
      const proto::BlockId& id = request.fetch_block();
      return blocks_.Get(StoreKey::Block(id.stream_id(), id.sequence()));
    }
    case proto::PeerRequest::kFetchCached: {
      const proto::CachedBinding& place = request.fetch_cached();
      return blocks_.Get(StoreKey::Cached(place.rdd_id(), place.partition()));
    }
    case proto::PeerRequest::kFetchBuckets: {
      const proto::ShuffleBinding& shuffle = request.fetch_buckets();
      return shuffles_.Read({shuffle.shuffle_id(), shuffle.reduce_partition()},
                            shuffle.map_count());
    }
    default:
      return absl::UnimplementedError("a request of a kind that this worker does not know");
  }
}

// First the block, then its entry: what is reported when its receiver is lost must be here. A
// request may come late, on a connection that broke: by then the block may be here for another
// reason, and stays.
absl::Status PeerService::PutBlock(proto::PutBlock& put) {
  if (!IsKeepingLevel(put.storage_level())) {
    return absl::InvalidArgumentError(
        absl::StrCat("storage level ", put.storage_level(), " is none for a block"));
  }
  const StoreKey key = StoreKey::Block(put.block().id().stream_id(), put.block().id().sequence());
  StoreData data;
  data.record_count = put.block().record_count();
  data.level = static_cast<StorageLevel>(put.storage_level());
  for (std::string& bytes : *put.mutable_buffers()) data.buffers.emplace_back(std::move(bytes));
  const bool was_here = blocks_.Contains(key);
  RETURN_IF_ERROR(blocks_.Put(key, data));
  absl::Status noted = replicas_.Add(put.receiving_worker(), std::move(*put.mutable_block()));
  if (!noted.ok() && !was_here) blocks_.Drop(key);
  return noted;
}

absl::Status PeerService::PutMapOutput(proto::PutMapOutput& put) {
  if (put.reduce_partitions_size() != put.pieces_size() ||
      (put.plain_sizes_size() > 0 && put.plain_sizes_size() != put.pieces_size())) {
    return absl::InvalidArgumentError(
        "a map output has other numbers of pieces, sizes and partitions");
  }
  // Whatever the sizes say, a message makes no more of itself than its largest piece may have.
  const uint64_t plain_bytes =
      std::accumulate(put.plain_sizes().begin(), put.plain_sizes().end(), uint64_t{0});
  if (plain_bytes > kCompressedBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a map output says that it was made of ", plain_bytes, " bytes; at most ",
                     kCompressedBytesMax, " are compressed into one"));
  }
  MapOutput output;
  output.shuffle_id = put.shuffle_id();
  output.map_partition = put.map_partition();
  output.task_id = put.task_id();
  output.sequence = put.sequence();
  output.is_last = put.is_last();
  output.pieces.reserve(static_cast<size_t>(put.pieces_size()));
  for (int i = 0; i < put.pieces_size(); ++i) {
    std::string& bytes = *put.mutable_pieces(i);
    if (put.plain_sizes_size() > 0 && put.plain_sizes(i) > 0) {
      const auto codec = static_cast<CompressionCodec>(std::min<uint32_t>(put.codec(), UINT8_MAX));
      ASSIGN_OR_RETURN(bytes, Decompress(codec, bytes, put.plain_sizes(i)));
    }
    output.pieces.emplace_back(put.reduce_partitions(i),
                               bytes.empty() ? Buffer() : Buffer(std::move(bytes)));
  }
  return shuffles_.Put(std::move(output));
}

}  // namespace millrace::internal
