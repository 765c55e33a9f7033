// Which map outputs of a shuffle exist, and on which worker each reduce partition is gathered.
#ifndef MILLRACE_DRIVER_SHUFFLE_MAP_OUTPUT_TRACKER_H_
#define MILLRACE_DRIVER_SHUFFLE_MAP_OUTPUT_TRACKER_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace millrace::internal {

// Map tasks push their buckets to the worker that reduces, so an output "exists" when its task has
// succeeded, and what can be lost is a reduce partition: with its worker.
//
// Threads: the driver core's event loop.
// Invariant: a reduce partition moves to another worker only after ForgetWorker of its old one.
class MapOutputTracker {
 public:
  static constexpr int64_t kUnplaced = -1;

  // Known from its first stage until its lease goes; more calls do nothing. Reduce partitions begin
  // without a place.
  void Register(int64_t shuffle_id, int map_count, int reduce_count);
  bool IsRegistered(int64_t shuffle_id) const { return shuffles_.contains(shuffle_id); }
  // Returns the workers that gather something of it.
  std::vector<int64_t> Drop(int64_t shuffle_id);

  // True when it is the first output of this map partition in the life of the shuffle: its
  // accumulator updates count, those of a recomputation do not.
  bool MapDone(int64_t shuffle_id, int map_partition);
  bool IsComplete(int64_t shuffle_id) const;
  std::vector<int> MissingMaps(int64_t shuffle_id) const;

  int64_t ReduceWorker(int64_t shuffle_id, int reduce_partition) const;
  // By reduce partition. The shuffle must be registered.
  const std::vector<int64_t>& ReduceWorkers(int64_t shuffle_id) const;
  void PlaceReduce(int64_t shuffle_id, int reduce_partition, int64_t worker_id);

  // The worker's reduce partitions are gone: they have no place any more, and every map output of
  // their shuffles is missing. Returns those shuffles.
  std::vector<int64_t> ForgetWorker(int64_t worker_id);

  bool empty() const { return shuffles_.empty(); }

 private:
  struct Shuffle {
    std::vector<bool> done;     // By map partition.
    std::vector<bool> counted;  // Was done once.
    int missing_count = 0;
    std::vector<int64_t> reduce_workers;
  };

  absl::flat_hash_map<int64_t, Shuffle> shuffles_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_SHUFFLE_MAP_OUTPUT_TRACKER_H_
