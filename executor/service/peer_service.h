// What a worker does for other workers.
#ifndef MILLRACE_EXECUTOR_SERVICE_PEER_SERVICE_H_
#define MILLRACE_EXECUTOR_SERVICE_PEER_SERVICE_H_

#include "absl/status/status.h"
#include "executor/shuffle/shuffle_store.h"
#include "proto/peer.pb.h"

namespace millrace::internal {

// Threads: any. May wait for the disk.
class PeerService {
 public:
  // The store outlives it.
  explicit PeerService(ShuffleStore& shuffles) : shuffles_(shuffles) {}

  // What is wrong with the request is in the reply.
  proto::PeerReply Handle(proto::PeerRequest request);

 private:
  absl::Status PutMapOutput(proto::PutMapOutput& put);

  ShuffleStore& shuffles_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SERVICE_PEER_SERVICE_H_
