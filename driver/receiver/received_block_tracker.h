// Which received block belongs to which batch.
#ifndef MILLRACE_DRIVER_RECEIVER_RECEIVED_BLOCK_TRACKER_H_
#define MILLRACE_DRIVER_RECEIVER_RECEIVED_BLOCK_TRACKER_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "driver/batch/streaming_handle.h"

namespace millrace::internal {

// Threads: the driver core's event loop.
// Invariants: (1) a block is unallocated or in exactly one batch, never both; (2) batches are
// allocated in rising batch time; (3) a block that is reported again changes nothing, however late:
// blocks of one start of a receiver are first reported in the order of their sequence.
class ReceivedBlockTracker {
 public:
  // A start of a receiver numbers its blocks from a multiple of 2^kStartBits on.
  static constexpr int kStartBits = 32;

  // Every batch has an entry for each of these streams.
  explicit ReceivedBlockTracker(const std::vector<int64_t>& stream_ids);

  // False: it is known already, or was.
  bool AddBlock(ReceivedBlock block);
  // It is unallocated or in a batch that is not forgotten.
  bool IsKnown(BlockRef block) const {
    return known_.contains(Key(block.stream_id, block.sequence));
  }

  // An earlier driver has given these blocks to the batch. Before all others, in time order.
  void RestoreBatch(Time batch_time, const BatchBlocks& blocks);

  // Batches have had the blocks of a start up to this one; -1: none yet.
  void RestoreAllocated(int64_t stream_id, int64_t start, int64_t sequence);

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
  // The latest sequence of each start of a receiver: by stream, and sequence >> kStartBits.
  absl::flat_hash_map<Key, int64_t> latest_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_RECEIVER_RECEIVED_BLOCK_TRACKER_H_
