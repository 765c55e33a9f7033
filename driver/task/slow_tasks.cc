#include "driver/task/slow_tasks.h"

#include <algorithm>
#include <utility>

namespace millrace::internal {

bool SlowTasks::TaskEnded(int64_t micros, size_t task_count, const SpeculationOptions& options) {
  if (limit_micros_ != 0) return false;
  ended_micros_.push_back(micros);
  const auto enough = static_cast<size_t>(options.quantile * static_cast<double>(task_count));
  if (ended_micros_.size() < std::max<size_t>(enough, 1)) return false;
  std::vector<int64_t> ended = std::exchange(ended_micros_, {});
  const auto median = ended.begin() + static_cast<std::ptrdiff_t>(ended.size() / 2);
  std::nth_element(ended.begin(), median, ended.end());
  limit_micros_ = std::max({static_cast<int64_t>(options.multiplier * static_cast<double>(*median)),
                            static_cast<int64_t>(options.min_runtime.count()), int64_t{1}});
  return true;
}

}  // namespace millrace::internal
