// Stopping in order: refuse new work, let the old finish, then free what it uses.
#ifndef MILLRACE_COMMON_CONCURRENT_GATE_H_
#define MILLRACE_COMMON_CONCURRENT_GATE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/functional/any_invocable.h"

namespace millrace {

// Counts who is inside a service. Once closed, nobody comes in, and whoever asked for the closing
// is told when the last one has left. Takes no lock and never blocks, so it serves an event loop
// as well as threads.
//
// Threads: all methods from any thread.
// Invariant: a gate is destroyed with nobody inside; anything else is a use after free in waiting.
class Gate {
 public:
  // The right to be inside, for as long as it lives.
  class Pass {
   public:
    Pass() = default;  // Of no gate.
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&& other) noexcept {
      Leave();
      gate_ = std::exchange(other.gate_, nullptr);
      return *this;
    }
    ~Pass() { Leave(); }

    // False: the gate was closed.
    explicit operator bool() const { return gate_ != nullptr; }
    void Leave() {
      if (gate_ != nullptr) std::exchange(gate_, nullptr)->LeaveOne();
    }

   private:
    friend class Gate;
    explicit Pass(Gate* gate) : gate_(gate) {}

    Gate* gate_ = nullptr;
  };

  Gate() = default;
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  [[nodiscard]] Pass TryEnter();

  // Closes the gate for good; once only. `when_empty` runs once, when nobody is inside: at once, or
  // on the thread that leaves last. It may destroy the gate.
  void Close(absl::AnyInvocable<void()> when_empty);

  bool closed() const { return (state_.load(std::memory_order_relaxed) & kClosed) != 0; }
  size_t inside() const { return state_.load(std::memory_order_relaxed) / kOneInside; }

 private:
  static constexpr uint64_t kClosed = 1;
  static constexpr uint64_t kOneInside = 2;

  void LeaveOne();

  std::atomic<uint64_t> state_{0};         // kClosed + kOneInside for each inside.
  absl::AnyInvocable<void()> when_empty_;  // Set before kClosed is; the last one inside runs it.
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_GATE_H_
