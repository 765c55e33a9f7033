#include "executor/receiver/rate_limiter.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::internal {

namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr double kBurstSeconds = 0.05;
constexpr double kRateMax = 1e12;  // Far above what memory can do; keeps the arithmetic exact.
constexpr int64_t kWaitNanosMax = 3'600'000'000'000;  // A rate near zero may be raised meanwhile.

}  // namespace

void RateLimiter::SetRate(double rate, int64_t now_nanos) {
  Refill(now_nanos);
  rate_ = std::isfinite(rate) && rate > 0 ? std::min(rate, kRateMax) : 0;
  tokens_ = std::min(tokens_, capacity());
}

double RateLimiter::capacity() const { return std::max(1.0, rate_ * kBurstSeconds); }

int64_t RateLimiter::records_max() const {
  if (!limited()) return std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(capacity());
}

int64_t RateLimiter::TakeOrWaitNanos(int64_t records, int64_t now_nanos) {
  if (!limited()) return 0;
  Refill(now_nanos);
  const double missing = static_cast<double>(std::min(records, records_max())) - tokens_;
  if (missing <= 0) {
    tokens_ -= static_cast<double>(records);
    return 0;
  }
  const double nanos = std::ceil(missing / rate_ * kNanosPerSecond);
  return nanos < static_cast<double>(kWaitNanosMax)
             ? std::max<int64_t>(1, static_cast<int64_t>(nanos))
             : kWaitNanosMax;
}

void RateLimiter::Refill(int64_t now_nanos) {
  const double elapsed = static_cast<double>(std::max<int64_t>(0, now_nanos - refilled_nanos_));
  refilled_nanos_ = now_nanos;
  if (limited()) tokens_ = std::min(capacity(), tokens_ + elapsed / kNanosPerSecond * rate_);
}

}  // namespace millrace::internal
