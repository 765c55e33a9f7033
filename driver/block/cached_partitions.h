// Where the partitions of persisted data sets, and the outputs of state updates, are kept.
#ifndef MILLRACE_DRIVER_BLOCK_CACHED_PARTITIONS_H_
#define MILLRACE_DRIVER_BLOCK_CACHED_PARTITIONS_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"

namespace millrace::internal {

// Told of by the workers that wrote them. A data set is known from the moment a stage that keeps
// it is planned until its lease goes; what workers say about any other is a leftover.
//
// Threads: the driver core's event loop.
class CachedPartitions {
 public:
  using Holders = absl::InlinedVector<int64_t, 1>;

  void Track(int64_t rdd_id) { data_sets_.try_emplace(rdd_id); }
  bool IsTracked(int64_t rdd_id) const { return data_sets_.contains(rdd_id); }

  // False: the data set is not known (any more), or there is no such partition; the worker should
  // drop it.
  bool Add(int64_t rdd_id, int partition, int64_t worker_id);
  void Remove(int64_t rdd_id, int partition, int64_t worker_id);
  void ForgetWorker(int64_t worker_id);
  // Of all data sets.
  int64_t PartitionsOn(int64_t worker_id) const;
  // Returns the workers that hold something of it.
  std::vector<int64_t> Drop(int64_t rdd_id);

  // All of the partitions 0..num_partitions-1 are kept somewhere.
  bool IsComplete(int64_t rdd_id, int num_partitions) const;
  // Empty where the partition is kept nowhere.
  const Holders& HoldersOf(int64_t rdd_id, int partition) const;

  bool empty() const { return data_sets_.empty(); }

 private:
  struct DataSet {
    std::vector<Holders> holders;  // By partition.
    int cached_count = 0;          // Partitions with a holder.
  };

  static void RemoveHolder(DataSet& data_set, Holders& holders, int64_t worker_id);

  absl::flat_hash_map<int64_t, DataSet> data_sets_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BLOCK_CACHED_PARTITIONS_H_
