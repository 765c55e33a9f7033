// The lineage of data sets: what each is computed from, and by which operator.
//
// Nodes are made by the typed API (client/) on any thread and are immutable from the moment a job
// or a child refers to them, but for `storage_level`. They are shared by the handles that users
// hold, by their children and by running jobs; when the last of these goes, so do the worker-side
// leftovers of the node (its shuffle outputs and cached partitions), by way of the leases.
#ifndef MILLRACE_DRIVER_LINEAGE_RDD_NODE_H_
#define MILLRACE_DRIVER_LINEAGE_RDD_NODE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/plan/operator_spec.h"
#include "common/record/storage_level.h"
#include "driver/lineage/offset_range.h"

namespace millrace::internal {

class RddNode;
using RddRef = std::shared_ptr<RddNode>;
// Made once, when a stream's operation is declared, and shared by the nodes of all its batches:
// equal pointers mean equal operators, which is how plans are recognised from batch to batch.
using OperatorRef = std::shared_ptr<const OperatorSpec>;

// How records are spread over partitions. Two data sets whose partitioners are equal hold a key in
// the same partition, so joining them needs no shuffle.
struct PartitionerSpec {
  // "hash", or the name of a registered partitioner with its parameters (range bounds, ...).
  std::string kind = "hash";
  std::string params;
  int num_partitions = 0;

  friend bool operator==(const PartitionerSpec&, const PartitionerSpec&) = default;
};

// Runs something once when the last reference goes, from whichever thread that is.
using Lease = std::shared_ptr<void>;

// A shuffle of `parent` into `num_reduce` partitions. Owned by the dependency of the node that
// reads it; nodes derived from one shuffled node share it, so a stage that ran is not run again.
struct ShuffleSpec {
  int64_t shuffle_id = 0;
  int num_reduce = 0;
  OperatorRef write;  // Root of the map stage; binding kOutput.
  OperatorRef read;   // Leaf of the reduce stage; binding kShuffle.
  Lease lease;
};

enum class DependencyKind : uint8_t {
  kOneToOne,  // Partition p reads the parent's partition p.
  kShuffle,   // Partition p reads reduce partition p of `shuffle`.
  kSelect,    // All parents are of this kind: partitions are those of the first parent, then of
              // the second, ... (union).
  kConcat,    // One parent: partition p reads the parent's partitions `groups[p]` in order.
  kProduct,   // Two parents of n and m partitions: p reads p / m of the first, p % m of the second.
};

struct Dependency {
  DependencyKind kind = DependencyKind::kOneToOne;
  RddRef parent;
  std::shared_ptr<const ShuffleSpec> shuffle;  // kShuffle
  std::vector<std::vector<int>> groups;        // kConcat
};

struct BlockRef {
  int64_t stream_id = 0;
  int64_t sequence = 0;
};

// Where a receiver's write-ahead log has a block.
struct BlockLogPlace {
  std::string directory;
  int64_t segment = 0;
  int64_t offset = 0;
  int64_t size_bytes = 0;  // Of the record.
};

// What a leaf's partition reads.
struct SourcePartition {
  std::vector<BlockRef> blocks;  // BindingKind::kBlocks
  // Of these blocks, one each, where a log has them; otherwise empty.
  std::vector<BlockLogPlace> log_places;
  std::string split;  // BindingKind::kSplit
  std::vector<std::string> preferred_hosts;
};

// The registered operators that any data set of one record type needs. One static per type.
struct RecordTypeOperators {
  OperatorRef cached_read;   // Leaf; binding kCached.
  OperatorRef cached_write;  // Tee; one input; binding kCached.
};

// How partitions of state are saved as they are after an update.
struct StateSnapshotSpec {
  std::string path;       // The directory for their parts; empty: they are not saved.
  int64_t time_ms = -1;   // The batch that they are saved as of.
  int64_t since_ms = -1;  // What changed since they were saved as of then is enough; -1: all.
};

// Set on nodes whose operator updates keyed state: the node is a stage of its own, its tasks run
// exactly once for a batch, and its output is kept as cached partitions.
struct StateUpdate {
  int64_t state_id = 0;
  int64_t batch_time_ms = 0;
  int64_t previous_time_ms = -1;  // Of the update whose result this one starts from; -1: the first.
  // Without the result of that very update this one fails; otherwise it starts from the last one
  // that was committed.
  bool needs_previous = false;
  StateSnapshotSpec snapshot;
  // Input 1 is what an earlier driver has saved, not the initial state of the program.
  bool restores = false;
  // True once the driver has committed the update. Read by other threads.
  std::shared_ptr<std::atomic<bool>> is_committed = std::make_shared<std::atomic<bool>>(false);
};

class RddNode {
 public:
  ~RddNode();

  int64_t rdd_id = 0;  // Unique in the application.
  OperatorRef op;
  const RecordTypeOperators* type = nullptr;
  std::vector<Dependency> dependencies;
  int num_partitions = 0;
  std::shared_ptr<const PartitionerSpec> partitioner;  // Null when not known.
  std::vector<SourcePartition> sources;                // Leaves: one a partition.
  OffsetRangesRef offset_ranges;  // Leaves that read a source with offsets: what they read.
  std::shared_ptr<const StateUpdate> state;
  int64_t batch_time_ms = -1;  // Of the batch it belongs to.

  // Set by Persist; a job sees the level that stood when it was submitted.
  std::atomic<StorageLevel> storage_level{StorageLevel::kNone};
  // Drops the cached partitions on all workers. Set when the node is first persisted or by state.
  Lease cache_lease;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_LINEAGE_RDD_NODE_H_
