// How much memory a process may give to its data, and how much of it is given.
#ifndef MILLRACE_COMMON_MEMORY_MEMORY_BUDGET_H_
#define MILLRACE_COMMON_MEMORY_MEMORY_BUDGET_H_

#include <atomic>
#include <cstddef>
#include <utility>

namespace millrace {

// Counts reservations against a limit. It allocates nothing: whoever is refused spills, waits or
// slows its source down. Blocks, caches, shuffles and state of a worker draw on one budget.
//
// Threads: any. Outlives its reservations.
// Invariant: used_bytes() <= limit_bytes().
class MemoryBudget {
 public:
  explicit MemoryBudget(size_t limit_bytes) : limit_bytes_(limit_bytes) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // All of `bytes` or nothing. What was reserved must be released once.
  [[nodiscard]] bool TryReserve(size_t bytes);
  void Release(size_t bytes);

  size_t limit_bytes() const { return limit_bytes_; }
  size_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  size_t free_bytes() const { return limit_bytes_ - used_bytes(); }
  // The most that was ever used at once.
  size_t high_water_bytes() const { return high_water_bytes_.load(std::memory_order_relaxed); }

 private:
  const size_t limit_bytes_;
  std::atomic<size_t> used_bytes_{0};
  std::atomic<size_t> high_water_bytes_{0};
};

// A part of a budget that is given back when the object goes. It may grow and shrink with what it
// accounts for. One thread at a time.
class Reservation {
 public:
  Reservation() = default;  // Of nothing.
  explicit Reservation(MemoryBudget& budget) : budget_(&budget) {}
  Reservation(Reservation&& other) noexcept
      : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  Reservation& operator=(Reservation&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Reservation() { Reset(); }

  // Makes the reservation `bytes` large. False: the budget has not that much more; nothing changed.
  // Shrinking always succeeds.
  [[nodiscard]] bool TryResize(size_t bytes);
  [[nodiscard]] bool TryGrow(size_t more_bytes) { return TryResize(bytes_ + more_bytes); }
  // Gives everything back.
  void Reset();

  size_t bytes() const { return bytes_; }

 private:
  MemoryBudget* budget_ = nullptr;
  size_t bytes_ = 0;  // Invariant: 0 without a budget.
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_MEMORY_MEMORY_BUDGET_H_
