// Shuffle data on the worker that reduces it.
#ifndef MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_STORE_H_
#define MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/base/recent_ids.h"
#include "common/memory/buffer.h"
#include "common/memory/memory_budget.h"
#include "executor/block/block_store.h"
#include "executor/block/spill_dir.h"

namespace millrace::internal {

// One reduce partition of a shuffle.
struct ReduceKey {
  int64_t shuffle_id = 0;
  uint32_t partition = 0;

  friend bool operator==(const ReduceKey&, const ReduceKey&) = default;
  template <class H>
  friend H AbslHashValue(H hash, const ReduceKey& key) {
    return H::combine(std::move(hash), key.shuffle_id, key.partition);
  }
};

// Records of one attempt at a map task for reduce partitions that gather on one worker: all of
// them, or a part while the task still runs. What comes in parts counts from the last one on.
struct MapOutput {
  int64_t shuffle_id = 0;
  uint32_t map_partition = 0;
  int64_t task_id = 0;    // The attempt.
  uint32_t sequence = 0;  // Among the parts that it sends to this worker.
  // Names each reduce partition that gathers there, be it with no records: they are an input too.
  bool is_last = true;
  // Records by reduce partition, each piece whole records. In order of partitions in the last part.
  std::vector<std::pair<uint32_t, Buffer>> pieces{};
};

// Collects the buckets of map tasks by reduce partition. For each (map, reduce) pair the first
// complete bucket counts; later attempts at the same map partition change nothing.
//
// Over the memory budget a part of a map output is written to disk as a whole, after the block
// store was asked to make room.
//
// Threads: any. Put and Read may wait for the disk and hold no lock meanwhile.
// Invariants: a bucket that is present never changes; the budget is charged with exactly the
// bytes of the pieces in memory.
class ShuffleStore {
 public:
  // All outlive the store.
  ShuffleStore(MemoryBudget& budget, BlockStore& blocks, SpillDir& disk)
      : budget_(budget), blocks_(blocks), disk_(disk) {}
  ~ShuffleStore();
  ShuffleStore(const ShuffleStore&) = delete;
  ShuffleStore& operator=(const ShuffleStore&) = delete;

  // All of `output` or, on an error, nothing.
  // FailedPrecondition: the shuffle was dropped. A task that was given up, or whose worker was, may
  // not know that yet, and nobody would drop its output again. DataLoss: an earlier part is
  // missing.
  absl::Status Put(MapOutput&& output);
  // There will be no last part.
  void Abandon(int64_t shuffle_id, int64_t task_id);

  // True: the buckets of `map_count` map partitions are here. Otherwise TakeReady will name the
  // partition, once, when they are.
  bool ReadyOrExpect(const ReduceKey& key, uint32_t map_count);
  // TakeReady has something to give.
  bool has_ready() const;
  // The expected partitions that became complete since the last call.
  std::vector<ReduceKey> TakeReady();

  // The pieces of the buckets, in the order of map partitions. NotFound: not all buckets are here.
  absl::StatusOr<std::vector<Buffer>> Read(const ReduceKey& key, uint32_t map_count);

  // For good: its id is never used again.
  void Drop(int64_t shuffle_id);
  // The same for all with ids below that, the sign aside: those of repairs are negative.
  void DropBelow(int64_t shuffle_id);

  size_t shuffle_count() const;

 private:
  struct Piece {
    Buffer bytes{};            // Of a piece that is in memory.
    uint32_t spill_chunk = 0;  // Else its place in a file.
    int32_t spill_file = -1;   // Index in Shuffle::spill_files; -1: not on disk.
  };
  using Bucket = absl::InlinedVector<Piece, 1>;
  struct ReducePartition {
    absl::btree_map<uint32_t, Bucket> buckets;  // By map partition: those that are present.
    uint32_t present_count = 0;
    uint32_t expected_count = 0;  // 0: nobody waits.
  };
  using Pieces = std::vector<std::pair<uint32_t, Piece>>;  // By reduce partition.
  // An attempt of which the last part has not come.
  struct Attempt {
    uint32_t map_partition = 0;
    uint32_t next_sequence = 0;
    Pieces pieces;
  };
  struct Shuffle {
    // Numbers of partitions come from peers: what is kept grows with what was sent, not with them.
    absl::flat_hash_map<uint32_t, ReducePartition> partitions;
    absl::flat_hash_map<int64_t, Attempt> attempts;  // By task id.
    std::vector<std::string> spill_files;
    size_t memory_bytes = 0;
  };

  // False: there is no room for so much.
  bool Reserve(size_t bytes);
  // The pieces are in `file`, or in memory that was reserved for them.
  absl::Status Insert(const MapOutput& output, Pieces pieces, std::string file);
  absl::Status CheckExpected(const MapOutput& output) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the attempt's pieces count.
  void Commit(Shuffle& shuffle, const MapOutput& last, Pieces pieces)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // nullptr: the bucket is there already. Else it is counted as present from now on.
  Bucket* Claim(Shuffle& shuffle, const ReduceKey& key, uint32_t map_partition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(Shuffle& shuffle, size_t memory_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(Shuffle& shuffle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MemoryBudget& budget_;
  BlockStore& blocks_;
  SpillDir& disk_;

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<int64_t, Shuffle> shuffles_ ABSL_GUARDED_BY(mutex_);
  std::vector<ReduceKey> ready_ ABSL_GUARDED_BY(mutex_);
  RecentIds dropped_ ABSL_GUARDED_BY(mutex_);
  int64_t dropped_below_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_STORE_H_
