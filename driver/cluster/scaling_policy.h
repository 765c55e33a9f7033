// How many workers a stream needs, judged by how long its batches take.
#ifndef MILLRACE_DRIVER_CLUSTER_SCALING_POLICY_H_
#define MILLRACE_DRIVER_CLUSTER_SCALING_POLICY_H_

#include <chrono>
#include <cstdint>
#include <limits>

namespace millrace::internal {

// millrace.streaming.dynamicAllocation.*
struct ScalingOptions {
  std::chrono::milliseconds interval{60'000};
  double up_ratio = 0.9;
  double down_ratio = 0.3;
  int workers_min = 0;  // 0: as many as receivers, at least 1.
  int workers_max = std::numeric_limits<int>::max();
};

// Looks at the mean of processing time over batch interval since the last decision: the load. A
// load of `up_ratio` and above asks for as many workers more as it has whole intervals, at least
// one, and for as many as bring the load below the ratio if the work divides among workers, at most
// twice as many as there are. A load of `down_ratio` and below gives one worker up, unless those
// that are left would be too few at once.
//
// Decisions come once in an interval. When workers are missing it does not wait so long: after
// kBatchesMin batches the load is known well enough.
class ScalingPolicy {
 public:
  static constexpr int kBatchesMin = 10;

  ScalingPolicy(const ScalingOptions& options, std::chrono::milliseconds batch_interval)
      : options_(options), batch_interval_(batch_interval) {}

  // One that was successful.
  void BatchCompleted(std::chrono::microseconds processing) {
    ++batches_;
    processing_ += processing;
  }
  bool IsOverloaded() const { return batches_ >= kBatchesMin && load() >= options_.up_ratio; }
  // What `workers` should become; the next decision counts from here on. Without a batch since the
  // last one only the bounds matter.
  int Decide(int workers);

  // Since the last decision; 0 without a batch.
  double load() const;

 private:
  int More(int workers) const;

  const ScalingOptions options_;
  const std::chrono::milliseconds batch_interval_;
  int64_t batches_ = 0;
  std::chrono::microseconds processing_{0};
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_CLUSTER_SCALING_POLICY_H_
