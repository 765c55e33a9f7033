// Which received block belongs to which batch.
#ifndef MILLRACE_DRIVER_RECEIVER_RECEIVED_BLOCK_TRACKER_H_
#define MILLRACE_DRIVER_RECEIVER_RECEIVED_BLOCK_TRACKER_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "driver/batch/streaming_handle.h"

namespace millrace::internal {

// Threads: the driver core's event loop.
// Invariants: (1) a block is unallocated or in exactly one batch, never both; (2) batches are
// allocated in rising batch time; (3) a block that is reported again changes nothing.
class ReceivedBlockTracker {
 public:
  // Every batch has an entry for each of these streams.
  explicit ReceivedBlockTracker(const std::vector<int64_t>& stream_ids);

  // False: it is known already.
  bool AddBlock(ReceivedBlock block);

  // Gives every unallocated block to the batch, in the order of their reports. Asking again for an
  // allocated batch gives the same blocks.
  const BatchBlocks& AllocateBlocksToBatch(Time batch_time);

  bool has_unallocated_blocks() const { return unallocated_count_ > 0; }

  // Forgets batches up to `batch_time`, inclusive; returns their blocks, for others to drop.
  std::vector<BlockRef> ForgetBatches(Time batch_time);
  // The same for all blocks, of batches or not.
  std::vector<BlockRef> ForgetAll();

 private:
  using Key = std::pair<int64_t, int64_t>;  // Stream, sequence.

  void Forget(const BatchBlocks& blocks, std::vector<BlockRef>& forgotten);

  const BatchBlocks no_blocks_;  // An empty list for each stream.
  BatchBlocks unallocated_;
  int64_t unallocated_count_ = 0;
  std::map<Time, BatchBlocks> allocated_;
  absl::flat_hash_set<Key> known_;  // Every block in the two above.
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_RECEIVER_RECEIVED_BLOCK_TRACKER_H_
