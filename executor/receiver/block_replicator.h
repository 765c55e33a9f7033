// Second copies of received blocks on other workers.
#ifndef MILLRACE_EXECUTOR_RECEIVER_BLOCK_REPLICATOR_H_
#define MILLRACE_EXECUTOR_RECEIVER_BLOCK_REPLICATOR_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/concurrent/one_shot.h"
#include "common/env/peer_transport.h"
#include "executor/block/block_store.h"
#include "proto/peer.pb.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Puts a copy on the worker that comes next by number, or, if that one cannot take it, on the one
// after it. Workers of other hosts go before those of the same one. One that has not answered in
// time is sent nothing more until it has: what waits to be sent to it is memory that no budget
// counts.
//
// Threads: any.
class BlockReplicator {
 public:
  struct Options {
    int64_t worker_id = 0;
    std::string host = "localhost";
    std::chrono::milliseconds timeout{10'000};  // Of one worker's answer.
  };

  // The transport outlives this.
  BlockReplicator(const Options& options, PeerTransport& peers)
      : options_(options), peers_(peers) {}

  void AddPeer(int64_t worker_id, std::string host) ABSL_LOCKS_EXCLUDED(mutex_);
  void RemovePeer(int64_t worker_id) ABSL_LOCKS_EXCLUDED(mutex_);
  bool has_peers() const ABSL_LOCKS_EXCLUDED(mutex_);

  struct Copy {
    int64_t worker_id = 0;  // 0: there is no other worker.
    // Another worker did not answer, or its connection broke: it may have the block all the same.
    bool may_be_elsewhere = false;
  };
  // Waits until the copy is there, and returns who has it.
  //   FailedPrecondition: this worker was given up, so nothing that it stores counts.
  //   Others: no worker could take it.
  absl::StatusOr<Copy> Replicate(const proto::StoredBlock& block, const StoreData& data)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Answer = OneShot<absl::StatusOr<proto::PeerReply>>;

  // In the order in which they are tried.
  std::vector<int64_t> Candidates() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status PutOn(int64_t worker_id, const proto::StoredBlock& block, const StoreData& data)
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsLate(int64_t worker_id) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  PeerTransport& peers_;

  mutable absl::Mutex mutex_;
  std::map<int64_t, std::string> hosts_ ABSL_GUARDED_BY(mutex_);  // Of other workers, by id.
  // That were given up, by worker.
  std::map<int64_t, std::shared_ptr<const Answer>> late_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_BLOCK_REPLICATOR_H_
