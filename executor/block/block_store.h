// The data that a worker keeps for later tasks: received blocks, and partitions of persisted data
// sets.
#ifndef MILLRACE_EXECUTOR_BLOCK_BLOCK_STORE_H_
#define MILLRACE_EXECUTOR_BLOCK_BLOCK_STORE_H_

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/concurrent/change_signal.h"
#include "common/memory/buffer.h"
#include "common/memory/memory_budget.h"
#include "common/record/storage_level.h"
#include "executor/block/spill_dir.h"

namespace millrace::internal {

// Names an entry: block `index` of stream `id`, or partition `index` of data set `id`.
struct StoreKey {
  enum class Kind : uint8_t { kBlock, kCached };

  Kind kind = Kind::kBlock;
  int64_t id = 0;
  int64_t index = 0;

  static StoreKey Block(int64_t stream_id, int64_t sequence) {
    return {Kind::kBlock, stream_id, sequence};
  }
  static StoreKey Cached(int64_t rdd_id, uint32_t partition) {
    return {Kind::kCached, rdd_id, partition};
  }

  friend auto operator<=>(const StoreKey&, const StoreKey&) = default;
};

// "block 17 of stream 3", "cached partition 2 of data set 40"
std::string ToString(const StoreKey& key);

struct StoreData {
  std::vector<Buffer> buffers;
  int64_t record_count = -1;
  StorageLevel level = StorageLevel::kMemoryOnly;
};

// Keeps entries within a memory budget. Over it, what was used least recently makes room: entries
// whose level includes disk are written there, cached partitions of memory only are dropped and
// told to the driver (TakeDropped), received blocks of memory only stay, as nobody has them
// elsewhere. What a task reads stays alive in its Buffers, whatever happens to the entry.
//
// Threads: any. Drop, TryPut, Contains and TakeDropped never wait for the disk; the others may, but
// hold no lock meanwhile.
// Invariants: the budget is charged with exactly the bytes of the entries that are in memory;
// an entry is in memory, on disk, or both while it is being written.
class BlockStore {
 public:
  // Both outlive the store.
  BlockStore(MemoryBudget& budget, SpillDir& disk) : budget_(budget), disk_(disk) {}
  ~BlockStore();
  BlockStore(const BlockStore&) = delete;
  BlockStore& operator=(const BlockStore&) = delete;

  // A block that is there already stays as it is; a cached partition is replaced. `data` is moved
  // from only when the result is OK.
  //   ResourceExhausted: no room; try again later (AwaitRoom).
  //   Other codes: the disk was needed and failed; the message names the file.
  absl::Status Put(const StoreKey& key, StoreData& data);
  // False: there is no room at once, or it must go to disk; use Put on a thread that may wait.
  bool TryPut(const StoreKey& key, StoreData& data);
  // Returns when an entry's memory was given back, at the latest after `timeout`: the budget has
  // other users, who do not tell.
  void AwaitRoom(std::chrono::milliseconds timeout);
  // Evicts until others that share the budget can have `bytes`. False: not possible.
  bool MakeRoom(size_t bytes);

  // NotFound: it is not here (any more). DataLoss and others: its file could not be read.
  absl::StatusOr<std::vector<Buffer>> Get(const StoreKey& key);
  bool Contains(const StoreKey& key) const;

  void Drop(const StoreKey& key);
  // All cached partitions of the data set.
  void DropRdd(int64_t rdd_id);
  // Of all data sets with ids below that.
  void DropRddsBelow(int64_t rdd_id);

  // Cached partitions that were dropped to make room since the last call.
  std::vector<std::pair<StoreKey, StorageLevel>> TakeDropped();

  size_t entry_count() const;
  // Of the blocks, for checks.
  std::vector<StoreKey> BlockKeys() const;
  // What the budget may hold, for all its users together.
  size_t memory_bytes_max() const { return budget_.limit_bytes(); }

 private:
  struct Entry {
    StoreData data;  // Its buffers are empty when it is not in memory.
    size_t bytes = 0;
    bool in_memory = false;
    std::string file;      // Empty: not on disk.
    uint64_t version = 0;  // Tells a replaced entry from the old one of its key.
    bool evictable = false;
    std::list<StoreKey>::iterator use;  // In `uses_`, if evictable.
  };
  // Ordered, so that a data set's partitions stand together.
  using Entries = absl::btree_map<StoreKey, std::unique_ptr<Entry>>;

  bool InsertInMemory(const StoreKey& key, StoreData& data);
  absl::Status InsertOnDisk(const StoreKey& key, StoreData& data);
  // Frees the memory of one entry. NotFound: none can go.
  absl::Status EvictOne();
  absl::Status Spill(const StoreKey& key, uint64_t version, const std::vector<Buffer>& buffers);

  bool IsBlockThatIsHere(const StoreKey& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entry& Replace(const StoreKey& key, size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entry* Find(const StoreKey& key, uint64_t version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entries::iterator Erase(Entries::iterator it) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReleaseMemory(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeEvictable(const StoreKey& key, Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeUnevictable(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MemoryBudget& budget_;
  SpillDir& disk_;

  mutable absl::Mutex mutex_;
  ChangeSignal room_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  std::list<StoreKey> uses_ ABSL_GUARDED_BY(mutex_);  // Evictable; the least recently used first.
  std::vector<std::pair<StoreKey, StorageLevel>> dropped_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_version_ ABSL_GUARDED_BY(mutex_) = 0;
  int spills_under_way_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_BLOCK_BLOCK_STORE_H_
