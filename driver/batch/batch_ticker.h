// Says when batches end.
#ifndef MILLRACE_DRIVER_BATCH_BATCH_TICKER_H_
#define MILLRACE_DRIVER_BATCH_BATCH_TICKER_H_

#include <chrono>
#include <functional>

#include "common/env/env.h"
#include "common/time/time.h"

namespace millrace::internal {

// Batch times are the multiples of the interval since the epoch, whenever the application starts.
//
// Threads: the driver core's event loop.
// Invariant: every batch time from the first on is announced, once, in order; ticks that the clock
// has already passed come at once.
class BatchTicker {
 public:
  using OnTick = std::function<void(Time batch_time)>;

  BatchTicker(Env& env, std::chrono::milliseconds interval, OnTick on_tick)
      : env_(env), interval_(interval), on_tick_(std::move(on_tick)) {}
  ~BatchTicker() { Stop(); }
  BatchTicker(const BatchTicker&) = delete;
  BatchTicker& operator=(const BatchTicker&) = delete;

  // The first tick is the next multiple of the interval after now and after `last`.
  void Start(Time last = Time(0));
  void Stop();

  // Of the tick to come.
  Time next_time() const { return next_time_; }

 private:
  void Arm();

  Env& env_;
  const std::chrono::milliseconds interval_;
  const OnTick on_tick_;
  Time next_time_{0};
  TimerId timer_ = kNoTimer;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BATCH_BATCH_TICKER_H_
