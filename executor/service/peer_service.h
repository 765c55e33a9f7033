// What a worker does for other workers.
#ifndef MILLRACE_EXECUTOR_SERVICE_PEER_SERVICE_H_
#define MILLRACE_EXECUTOR_SERVICE_PEER_SERVICE_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/memory/buffer.h"
#include "executor/block/block_store.h"
#include "executor/block/replica_book.h"
#include "executor/shuffle/shuffle_store.h"
#include "proto/peer.pb.h"

namespace millrace::internal {

// Threads: any. May wait for the disk.
class PeerService {
 public:
  // All outlive it.
  PeerService(BlockStore& blocks, ReplicaBook& replicas, ShuffleStore& shuffles)
      : blocks_(blocks), replicas_(replicas), shuffles_(shuffles) {}

  // What is wrong with the request is in the reply.
  proto::PeerReply Handle(proto::PeerRequest request);

 private:
  absl::Status PutMapOutput(proto::PutMapOutput& put);
  absl::Status PutBlock(proto::PutBlock& put);
  // What is asked for, of the two stores.
  absl::StatusOr<std::vector<Buffer>> Fetch(const proto::PeerRequest& request);

  BlockStore& blocks_;
  ReplicaBook& replicas_;
  ShuffleStore& shuffles_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SERVICE_PEER_SERVICE_H_
