#include "driver/batch/batch_ticker.h"

#include <algorithm>
#include <utility>

#include "common/base/mistake.h"

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
  timer_ = env_.AtWall(next_time_.ms() * kMicrosPerMilli, [this] { OnTime(); });
}

// The delay is real time, also under a clock that a test moves. Times long past have had theirs.
void BatchTicker::OnTime() {
  const int64_t delay = next_time_.ms() * kMicrosPerMilli + delay_micros_ - env_.NowMicros();
  if (delay <= 0 || delay_micros_ == 0) return Announce();
  timer_ = env_.After(delay, [this] { Announce(); });
}

void BatchTicker::Announce() {
  const Time now(env_.NowMicros() / kMicrosPerMilli);
  if (IsMade(Mistake::kLateBatchForgotten)) next_time_ = std::max(next_time_, now.Floor(interval_));
  const Time batch_time = next_time_;
  next_time_ = next_time_ + interval_;
  if (IsMade(Mistake::kBatchAnnouncedTwice)) next_time_ = now.Floor(interval_) + interval_;
  Arm();
  on_tick_(batch_time);
}

}  // namespace millrace::internal
