// What is counted and measured.
#ifndef MILLRACE_COMMON_METRICS_INSTRUMENTS_H_
#define MILLRACE_COMMON_METRICS_INSTRUMENTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace millrace {

using MetricLabels = std::map<std::string, std::string>;

static_assert(std::atomic<double>::is_always_lock_free);

// Something that only grows: records, bytes, seconds spent. Whole numbers are exact up to 2^53.
// Threads: any, without a lock.
class Counter {
 public:
  void Increment(double by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Something that goes up and down: tasks that run, bytes in use.
// Threads: any, without a lock.
class Gauge {
 public:
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }
  void Add(double by) { value_.fetch_add(by, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// How often values fell into which range: durations, sizes.
// Threads: any, without a lock. A reader may see an observation in a bucket and not yet in the sum.
class Histogram {
 public:
  // `upper_bounds` rise; a value belongs to the first bucket whose bound is not below it. One more
  // bucket takes what is above all of them.
  explicit Histogram(std::vector<double> upper_bounds);

  void Observe(double value);

  const std::vector<double>& upper_bounds() const { return upper_bounds_; }
  uint64_t bucket_count(size_t bucket) const {  // bucket <= upper_bounds().size()
    return counts_[bucket].load(std::memory_order_relaxed);
  }
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const std::vector<double> upper_bounds_;
  std::vector<std::atomic<uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

// 100 us to 100 s in steps of about 2: what a batch, a task or a request takes.
std::vector<double> DurationBuckets();

}  // namespace millrace

#endif  // MILLRACE_COMMON_METRICS_INSTRUMENTS_H_
