// Which workers hold a received block.
#ifndef MILLRACE_DRIVER_BLOCK_BLOCK_LOCATIONS_H_
#define MILLRACE_DRIVER_BLOCK_BLOCK_LOCATIONS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

// Threads: the driver core's event loop.
class BlockLocations {
 public:
  using Holders = absl::InlinedVector<int64_t, 2>;

  void Add(BlockRef block, int64_t worker_id);
  // A log has it, too, so it is not lost when nobody holds it.
  void NoteLogged(BlockRef block);
  // The worker has it no more.
  void Remove(BlockRef block, int64_t worker_id);
  // Returns how many blocks were nowhere else, and so are lost.
  int64_t ForgetWorker(int64_t worker_id);
  // The block is not needed any more; returns who should be told.
  Holders Drop(BlockRef block);

  // Empty: nobody has it.
  const Holders& HoldersOf(BlockRef block) const;

  // Not dropped yet.
  bool IsKnown(BlockRef block) const { return holders_.contains(KeyOf(block)); }
  // Those that one worker alone has, by stream and sequence.
  std::vector<BlockRef> WithOneHolder() const;

  bool empty() const { return holders_.empty(); }

 private:
  using Key = std::pair<int64_t, int64_t>;  // Stream, sequence.
  static Key KeyOf(BlockRef block) { return {block.stream_id, block.sequence}; }

  // A block whose last holder was lost stays, without holders, until it is dropped.
  absl::flat_hash_map<Key, Holders> holders_;
  absl::flat_hash_set<Key> logged_;  // Of these.
};

// "block 17 of stream 3"
std::string ToString(BlockRef block);

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BLOCK_BLOCK_LOCATIONS_H_
