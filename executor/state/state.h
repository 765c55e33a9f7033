// The state of one key, as a MapWithState function sees it.
#ifndef MILLRACE_EXECUTOR_STATE_STATE_H_
#define MILLRACE_EXECUTOR_STATE_STATE_H_

#include <optional>
#include <stdexcept>
#include <utility>

namespace millrace {
namespace internal {

// Thrown by State's methods when a function misuses them; fails the task.
class StateMisuse : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};
[[noreturn]] void ThrowStateMisuse(const char* what);

}  // namespace internal

// Valid during one call of the function. A later record of the same key sees the effect, in the
// same batch too.
template <class S>
class State {
 public:
  // For the operator: `current` is null for a key without a state.
  State(const S* current, bool is_timing_out) : current_(current), is_timing_out_(is_timing_out) {}

  bool Exists() const { return current_ != nullptr; }
  // Fails the task when there is no state.
  const S& Get() const {
    if (current_ == nullptr) internal::ThrowStateMisuse("State::Get: the key has no state");
    return *current_;
  }
  std::optional<S> GetOption() const {
    return current_ == nullptr ? std::nullopt : std::optional<S>(*current_);
  }
  // Fails the task after Remove, and while the key is timing out.
  void Update(S state) {
    CheckChangeable("State::Update after Remove", "State::Update while the key is timing out");
    next_.emplace(std::move(state));
    current_ = &*next_;
  }
  // Fails the task after Remove, and while the key is timing out.
  void Remove() {
    CheckChangeable("State::Remove after Remove", "State::Remove while the key is timing out");
    is_removed_ = true;
    current_ = nullptr;
    next_.reset();
  }
  // The call is the key's last: it had no record for longer than the timeout.
  bool IsTimingOut() const { return is_timing_out_; }

  // For the operator, after the call.
  bool is_removed() const { return is_removed_; }
  std::optional<S>& next() { return next_; }

 private:
  void CheckChangeable(const char* removed, const char* timing_out) const {
    if (is_removed_) internal::ThrowStateMisuse(removed);
    if (is_timing_out_) internal::ThrowStateMisuse(timing_out);
  }

  const S* current_;
  const bool is_timing_out_;
  bool is_removed_ = false;
  std::optional<S> next_;
};

}  // namespace millrace

#endif  // MILLRACE_EXECUTOR_STATE_STATE_H_
