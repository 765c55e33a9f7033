// Merges what tasks add to accumulators.
#ifndef MILLRACE_DRIVER_DAG_ACCUMULATORS_H_
#define MILLRACE_DRIVER_DAG_ACCUMULATORS_H_

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "driver/service/driver_handle.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Threads: the driver core's event loop.
class Accumulators {
 public:
  using Updates = google::protobuf::RepeatedPtrField<proto::AccumulatorUpdate>;

  void Register(int64_t id, AccumulatorMerge merge) { merges_[id] = std::move(merge); }
  void Unregister(int64_t id) { merges_.erase(id); }

  // To be called once for each task that counts. Updates of accumulators that are gone are dropped.
  void Merge(const Updates& updates, int64_t batch_time_ms) const {
    for (const proto::AccumulatorUpdate& update : updates) {
      const auto merge = merges_.find(update.accumulator_id());
      if (merge != merges_.end()) merge->second(update.value(), batch_time_ms);
    }
  }

 private:
  absl::flat_hash_map<int64_t, AccumulatorMerge> merges_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_DAG_ACCUMULATORS_H_
