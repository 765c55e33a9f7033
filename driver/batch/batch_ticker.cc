#include "driver/batch/batch_ticker.h"

#include <algorithm>
#include <utility>

namespace millrace::internal {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;

}  // namespace

void BatchTicker::Start(Time last) {
  const Time now(env_.NowMicros() / kMicrosPerMilli);
  next_time_ = std::max(now, last).Floor(interval_) + interval_;
  Arm();
}

void BatchTicker::Stop() { env_.Cancel(std::exchange(timer_, kNoTimer)); }

void BatchTicker::Arm() {
  timer_ = env_.AtWall(next_time_.ms() * kMicrosPerMilli, [this] {
    const Time batch_time = next_time_;
    next_time_ = next_time_ + interval_;
    Arm();
    on_tick_(batch_time);
  });
}

}  // namespace millrace::internal
