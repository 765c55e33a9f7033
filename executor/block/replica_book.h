// Second copies of received blocks.
#ifndef MILLRACE_EXECUTOR_BLOCK_REPLICA_BOOK_H_
#define MILLRACE_EXECUTOR_BLOCK_REPLICA_BOOK_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Notes which blocks lie here as copies of another worker's, so that what that worker had stored
// and not yet reported is reported when it is lost.
//
// Threads: any.
// Invariant: a worker that was given up has no copies here, and gets none.
class ReplicaBook {
 public:
  // FailedPrecondition: the worker was given up.
  absl::Status Add(int64_t receiving_worker, proto::StoredBlock block) ABSL_LOCKS_EXCLUDED(mutex_);
  // The blocks are not needed any more; others than copies are passed over.
  void Remove(const proto::DropBlocks& dropped) ABSL_LOCKS_EXCLUDED(mutex_);
  // The worker is lost: reports of its copies, a stream each, in the order of their cutting.
  std::vector<proto::BlockReport> GiveUp(int64_t receiving_worker) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Key = std::pair<int64_t, int64_t>;  // Stream, sequence.

  absl::Mutex mutex_;
  std::map<Key, proto::StoredBlock> blocks_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Key, int64_t> receiving_workers_ ABSL_GUARDED_BY(mutex_);  // Of the same.
  absl::flat_hash_set<int64_t> given_up_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_BLOCK_REPLICA_BOOK_H_
