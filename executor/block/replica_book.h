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
#include "common/base/recent_ids.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Notes which blocks lie here as copies of another worker's, so that what that worker had stored
// and not yet reported is reported when it is lost.
//
// Threads: any.
// Invariants: a worker that was given up has no copies here, and gets none until it is taken back;
// a block that was dropped does not come back.
class ReplicaBook {
 public:
  // FailedPrecondition: the worker was given up. Unavailable: it may not have been. NotFound: the
  // block was dropped, and comes late.
  absl::Status Add(int64_t receiving_worker, proto::StoredBlock block) ABSL_LOCKS_EXCLUDED(mutex_);
  // The blocks are not needed any more, whether or not they lie here.
  void Remove(const proto::DropBlocks& dropped) ABSL_LOCKS_EXCLUDED(mutex_);
  // The worker is lost: reports of its copies, a stream each, in the order of their cutting.
  std::vector<proto::BlockReport> GiveUp(int64_t receiving_worker) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same where there is a later driver, of which it is not known whether it has the worker:
  // that is told to try again.
  std::vector<proto::BlockReport> Suspend(int64_t receiving_worker) ABSL_LOCKS_EXCLUDED(mutex_);
  // That driver has it.
  void TakeBack(int64_t receiving_worker) ABSL_LOCKS_EXCLUDED(mutex_);
  // By stream and sequence.
  std::vector<proto::StoredBlock> blocks() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::vector<proto::BlockReport> TakeOut(int64_t receiving_worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  using Key = std::pair<int64_t, int64_t>;  // Stream, sequence.

  mutable absl::Mutex mutex_;
  std::map<Key, proto::StoredBlock> blocks_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Key, int64_t> receiving_workers_ ABSL_GUARDED_BY(mutex_);  // Of the same.
  absl::flat_hash_set<int64_t> given_up_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<int64_t> suspended_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<int64_t, RecentIds> dropped_ ABSL_GUARDED_BY(mutex_);  // By stream.
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_BLOCK_REPLICA_BOOK_H_
