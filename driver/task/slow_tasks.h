// Which tasks of a set take far longer than the others did.
#ifndef MILLRACE_DRIVER_TASK_SLOW_TASKS_H_
#define MILLRACE_DRIVER_TASK_SLOW_TASKS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::internal {

struct SpeculationOptions {
  bool is_enabled = false;
  // Between two looks at a set of which enough tasks have ended.
  std::chrono::microseconds interval{10'000};
  // A task is slow that has run so many times longer than the median, and no less than this.
  double multiplier = 1.5;
  std::chrono::microseconds min_runtime{50'000};
  // Part of the tasks that must have ended before.
  double quantile = 0.75;
};

// How long a task may take: found once, when enough of them have ended.
class SlowTasks {
 public:
  // `micros`: between launch and success. True: it is known from now on how long a task may take.
  bool TaskEnded(int64_t micros, size_t task_count, const SpeculationOptions& options);
  // 0: not known yet.
  int64_t limit_micros() const { return limit_micros_; }

 private:
  std::vector<int64_t> ended_micros_;  // Until the limit is known.
  int64_t limit_micros_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_TASK_SLOW_TASKS_H_
