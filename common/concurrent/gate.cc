#include "common/concurrent/gate.h"

#include <glog/logging.h>

namespace millrace {

Gate::~Gate() { CHECK_EQ(inside(), 0u) << "a gate is destroyed with work inside"; }

Gate::Pass Gate::TryEnter() {
  uint64_t state = state_.load(std::memory_order_relaxed);
  do {
    if ((state & kClosed) != 0) return Pass();
  } while (!state_.compare_exchange_weak(state, state + kOneInside, std::memory_order_acquire,
                                         std::memory_order_relaxed));
  return Pass(this);
}

void Gate::LeaveOne() {
  // acq_rel: what the others did inside happens before `when_empty`.
  const uint64_t before = state_.fetch_sub(kOneInside, std::memory_order_acq_rel);
  if (before != (kClosed | kOneInside)) return;
  auto when_empty = std::move(when_empty_);
  when_empty();
}

void Gate::Close(absl::AnyInvocable<void()> when_empty) {
  CHECK(!closed()) << "a gate is closed once";
  when_empty_ = std::move(when_empty);
  // From here on, if anybody is inside, the callback is the last leaver's to run.
  const uint64_t before = state_.fetch_or(kClosed, std::memory_order_acq_rel);
  if (before != 0) return;
  auto run_now = std::move(when_empty_);
  run_now();
}

}  // namespace millrace
