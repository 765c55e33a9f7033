// What workers keep on behalf of the driver, and how they are told to drop it.
#ifndef MILLRACE_DRIVER_BLOCK_WORKER_DATA_H_
#define MILLRACE_DRIVER_BLOCK_WORKER_DATA_H_

#include <cstdint>
#include <vector>

#include "driver/block/block_locations.h"
#include "driver/block/cached_partitions.h"
#include "driver/cluster/worker_registry.h"
#include "driver/shuffle/map_output_tracker.h"
#include "driver/state/state_tracker.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Threads: the driver core's event loop.
// Invariant: whatever a worker reports for something that is not known (any more) is dropped there
// at once, so nothing stays behind on a worker.
class WorkerData {
 public:
  explicit WorkerData(WorkerRegistry& workers) : workers_(workers) {}

  MapOutputTracker shuffles;
  CachedPartitions cached;
  BlockLocations blocks;
  StateTracker states;

  // A task has put partitions into its worker's block store.
  void NoteCached(int64_t worker_id,
                  const google::protobuf::RepeatedPtrField<proto::CachedBinding>& partitions);
  // The block store has let them go.
  void NoteDropped(int64_t worker_id,
                   const google::protobuf::RepeatedPtrField<proto::CachedBinding>& partitions);

  // Their leases have gone. Unknown ids are fine.
  void DropShuffle(int64_t shuffle_id);
  void DropRdd(int64_t rdd_id);
  void DropState(int64_t state_id);
  void DropBlocks(const std::vector<BlockRef>& dropped);

  bool empty() const {
    return shuffles.empty() && cached.empty() && blocks.empty() && states.empty();
  }

 private:
  void SendDropRdd(int64_t worker_id, int64_t rdd_id);

  WorkerRegistry& workers_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BLOCK_WORKER_DATA_H_
