// How fast a receiver may take records, or bytes.
#ifndef MILLRACE_EXECUTOR_RECEIVER_RATE_LIMITER_H_
#define MILLRACE_EXECUTOR_RECEIVER_RATE_LIMITER_H_

#include <cstdint>

namespace millrace::internal {

// A bucket that fills with `rate` tokens a second, one for each record (or byte), up to what 50 ms
// bring: an idle receiver saves up no burst. Reads no clock and never waits; its owner does both.
// One thread at a time.
class RateLimiter {
 public:
  // Records a second; 0 (or less): no limit. What was saved so far stays, within the new bounds.
  void SetRate(double rate, int64_t now_nanos);
  bool limited() const { return rate_ > 0; }

  // The most records that may be asked for at once.
  int64_t records_max() const;
  // 0: `records` tokens were taken. Else how long it is until so many will be there.
  int64_t TakeOrWaitNanos(int64_t records, int64_t now_nanos);

 private:
  void Refill(int64_t now_nanos);
  double capacity() const;

  double rate_ = 0;
  double tokens_ = 0;
  int64_t refilled_nanos_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_RATE_LIMITER_H_
