// Shuffle data on the worker that reduces it.
#ifndef MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_STORE_H_
#define MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
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

// What one finished map task gives to reduce partitions. It names each of them: an empty bucket is
// an input too.
struct MapOutput {
  int64_t shuffle_id = 0;
  uint32_t map_partition = 0;
  std::vector<std::pair<uint32_t, Buffer>> buckets;  // By reduce partition, each once.
  // By bucket: the worker where its reduce partition gathers. Empty: all on this one.
  std::vector<int64_t> workers;
};

// Where finished map tasks hand their output in: the store of this process, or a router that sends
// each worker its buckets. Threads: any.
class MapOutputSink {
 public:
  virtual ~MapOutputSink() = default;
  // All of `output` or, on an error, nothing. Handing in the same map partition again is fine.
  virtual absl::Status Put(MapOutput output) = 0;
};

// Collects the buckets of map tasks by reduce partition. For each (map, reduce) pair the first
// bucket counts; later attempts at the same map partition change nothing.
//
// Over the memory budget a map output is written to disk as a whole, after the block store was
// asked to make room.
//
// Threads: any. Put and Read may wait for the disk and hold no lock meanwhile.
// Invariants: a bucket that is present never changes; the budget is charged with exactly the
// bytes of the buckets in memory.
class ShuffleStore : public MapOutputSink {
 public:
  // All outlive the store.
  ShuffleStore(MemoryBudget& budget, BlockStore& blocks, SpillDir& disk)
      : budget_(budget), blocks_(blocks), disk_(disk) {}
  ~ShuffleStore() override;

  absl::Status Put(MapOutput output) override;

  // True: the buckets of `map_count` map partitions are here. Otherwise TakeReady will name the
  // partition, once, when they are.
  bool ReadyOrExpect(const ReduceKey& key, uint32_t map_count);
  // TakeReady has something to give.
  bool has_ready() const;
  // The expected partitions that became complete since the last call.
  std::vector<ReduceKey> TakeReady();

  // The buckets that hold something, in the order of map partitions. NotFound: not all are here.
  absl::StatusOr<std::vector<Buffer>> Read(const ReduceKey& key, uint32_t map_count);

  // Outputs that come later are dropped too: of a map task that nobody waits for any more, or of a
  // worker that was given up.
  void Drop(int64_t shuffle_id);

  size_t shuffle_count() const;

 private:
  struct Bucket {
    bool present = false;
    Buffer bytes;              // Of a bucket that is in memory.
    uint32_t spill_chunk = 0;  // Else its place in a file.
    int32_t spill_file = -1;   // Index in Shuffle::spill_files; -1: not on disk.
  };
  struct ReducePartition {
    std::vector<Bucket> buckets;  // By map partition.
    uint32_t present_count = 0;
    uint32_t expected_count = 0;  // 0: nobody waits.
  };
  struct Shuffle {
    std::vector<ReducePartition> partitions;
    std::vector<std::string> spill_files;
    size_t memory_bytes = 0;
  };

  // False: there is no room for so much.
  bool Reserve(size_t bytes);
  // Puts what is new of `output` in and releases what was reserved for the rest.
  void InsertInMemory(MapOutput&& output, size_t reserved_bytes);
  void InsertOnDisk(const MapOutput& output, std::string file);
  // nullptr: the bucket is there already. Else it is counted as present from now on.
  Bucket* Claim(const MapOutput& output, uint32_t reduce_partition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(Shuffle& shuffle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MemoryBudget& budget_;
  BlockStore& blocks_;
  SpillDir& disk_;

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<int64_t, Shuffle> shuffles_ ABSL_GUARDED_BY(mutex_);
  std::vector<ReduceKey> ready_ ABSL_GUARDED_BY(mutex_);
  RecentIds dropped_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_STORE_H_
