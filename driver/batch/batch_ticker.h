// Says when batches end.
#ifndef MILLRACE_DRIVER_BATCH_BATCH_TICKER_H_
#define MILLRACE_DRIVER_BATCH_BATCH_TICKER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "common/env/env.h"
#include "common/time/time.h"

namespace millrace::internal {

// Batch times are the multiples of the interval since the epoch, whenever the application starts.
// So the batches of all applications with one interval would end at the same instant, and ask what
// they share for data at once. Better than that: with a delay of its own (see
// millrace.streaming.batchJitter) an application is told of its batches later, by less than an
// interval; what the times are does not change.
//
// Threads: the driver core's event loop.
// Invariant: every batch time from the first on is announced, once, in order; ticks that the clock
// has already passed come at once.
class BatchTicker {
 public:
  using OnTick = std::function<void(Time batch_time)>;

  BatchTicker(Env& env, std::chrono::milliseconds interval, int64_t delay_micros, OnTick on_tick)
      : env_(env), interval_(interval), delay_micros_(delay_micros), on_tick_(std::move(on_tick)) {}
  ~BatchTicker() { Stop(); }
  BatchTicker(const BatchTicker&) = delete;
  BatchTicker& operator=(const BatchTicker&) = delete;

  // The first batch time is the next multiple of the interval after now and after `last`.
  void Start(Time last = Time(0));
  void Stop();

  // Of the tick to come.
  Time next_time() const { return next_time_; }

 private:
  void Arm();
  // The clock has passed the next batch time.
  void OnTime();
  void Announce();

  Env& env_;
  const std::chrono::milliseconds interval_;
  const int64_t delay_micros_;
  const OnTick on_tick_;
  Time next_time_{0};
  TimerId timer_ = kNoTimer;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BATCH_BATCH_TICKER_H_
