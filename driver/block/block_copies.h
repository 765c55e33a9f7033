// Second copies of blocks that have lost theirs.
#ifndef MILLRACE_DRIVER_BLOCK_BLOCK_COPIES_H_
#define MILLRACE_DRIVER_BLOCK_BLOCK_COPIES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "common/record/storage_level.h"
#include "driver/block/block_locations.h"
#include "driver/cluster/worker_registry.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Receivers see to the second copy of what they store. When a worker is lost, and when one comes,
// this has others copy what only one has. An answer does not say what it answers, so a worker is
// asked again when it has answered.
//
// Threads: the driver core's event loop.
class BlockCopies {
 public:
  // Both outlive this.
  BlockCopies(WorkerRegistry& workers, BlockLocations& locations)
      : workers_(workers), locations_(locations) {}

  // The stream's blocks are to have as many copies as its level says.
  void AddStream(int64_t stream_id, StorageLevel level);

  void WorkerAdded();
  void WorkerLost(int64_t worker_id);
  // The worker's answer. What was dropped meanwhile is dropped there too.
  void HandleCopied(int64_t worker_id, const proto::BlocksCopied& copied);

 private:
  using Key = std::pair<int64_t, int64_t>;  // Stream, sequence.
  static constexpr size_t kBlocksOfRequestMax = 64;

  // What one message asks a worker for.
  struct Request {
    int64_t holder = 0;
    int64_t stream_id = 0;
    std::set<Key> blocks;
  };
  using Requests = std::map<int64_t, Request>;  // By the worker that copies.

  void Copy();
  void Send(int64_t target, const Request& request);
  // With one of these requests to add to, or none under way. 0: there is none.
  int64_t TargetFor(int64_t holder, int64_t stream_id, const Requests& requests) const;
  bool IsUnderWay(const Key& key) const;

  WorkerRegistry& workers_;
  BlockLocations& locations_;
  std::map<int64_t, StorageLevel> levels_;  // Of streams whose blocks have two copies.
  Requests under_way_;
  std::set<Key> failed_;      // Not tried again before workers change.
  int64_t copied_count_ = 0;  // Since the last time that nothing was left.
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BLOCK_BLOCK_COPIES_H_
