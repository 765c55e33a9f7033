#include "common/memory/memory_budget.h"

#include <glog/logging.h>

namespace millrace {

bool MemoryBudget::TryReserve(size_t bytes) {
  size_t used = used_bytes_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_bytes_ - used) return false;
  } while (!used_bytes_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));

  const size_t now_used = used + bytes;
  size_t high_water = high_water_bytes_.load(std::memory_order_relaxed);
  while (high_water < now_used && !high_water_bytes_.compare_exchange_weak(
                                      high_water, now_used, std::memory_order_relaxed)) {
  }
  return true;
}

void MemoryBudget::Release(size_t bytes) {
  const size_t used = used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  CHECK_GE(used, bytes) << "more memory released than reserved";
}

bool Reservation::TryResize(size_t bytes) {
  if (bytes > bytes_) {
    CHECK(budget_ != nullptr) << "a reservation of no budget cannot grow";
    if (!budget_->TryReserve(bytes - bytes_)) return false;
  } else if (bytes < bytes_) {
    budget_->Release(bytes_ - bytes);
  }
  bytes_ = bytes;
  return true;
}

void Reservation::Reset() {
  if (bytes_ > 0) budget_->Release(std::exchange(bytes_, 0));
}

}  // namespace millrace
