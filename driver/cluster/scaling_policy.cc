#include "driver/cluster/scaling_policy.h"

#include <algorithm>
#include <cmath>

namespace millrace::internal {

double ScalingPolicy::load() const {
  if (batches_ == 0) return 0;
  const std::chrono::duration<double> mean = processing_ / static_cast<double>(batches_);
  return mean / batch_interval_;
}

int ScalingPolicy::More(int workers) const {
  const double whole_intervals = std::max(1.0, std::round(load()));
  const double enough = std::ceil(workers * load() / options_.up_ratio) - workers;
  const double more = std::max(whole_intervals, std::min(enough, 1.0 * workers));
  return static_cast<int>(std::min<double>(more, options_.workers_max));
}

int ScalingPolicy::Decide(int workers) {
  int64_t wanted = workers;
  if (batches_ > 0 && load() >= options_.up_ratio) {
    wanted += More(workers);
  } else if (batches_ > 0 && load() <= options_.down_ratio && workers > 1) {
    const double load_without_one = load() * workers / (workers - 1);
    if (load_without_one < options_.up_ratio) --wanted;
  }
  batches_ = 0;
  processing_ = {};
  return static_cast<int>(std::clamp<int64_t>(wanted, options_.workers_min, options_.workers_max));
}

}  // namespace millrace::internal
