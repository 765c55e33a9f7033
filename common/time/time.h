// Batch time.
#ifndef MILLRACE_COMMON_TIME_TIME_H_
#define MILLRACE_COMMON_TIME_TIME_H_

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

// A point in time in whole milliseconds since the epoch: what batches are named by.
//
// Steps and distances are std::chrono durations; whatever converts to milliseconds without loss
// (seconds, minutes, ...) is taken, anything else does not compile. A step of zero has no
// multiples: nothing is one, Floor leaves the time as it is, Until and To are empty.
class Time {
 public:
  using Duration = std::chrono::milliseconds;

  constexpr Time() = default;  // The epoch.
  constexpr explicit Time(int64_t ms) : ms_(ms) {}

  constexpr int64_t ms() const { return ms_; }

  friend constexpr auto operator<=>(const Time&, const Time&) = default;

  friend constexpr Time operator+(Time time, Duration d) { return Time(time.ms_ + d.count()); }
  friend constexpr Time operator+(Duration d, Time time) { return time + d; }
  friend constexpr Time operator-(Time time, Duration d) { return Time(time.ms_ - d.count()); }
  friend constexpr Duration operator-(Time a, Time b) { return Duration(a.ms_ - b.ms_); }
  constexpr Time& operator+=(Duration d) { return *this = *this + d; }
  constexpr Time& operator-=(Duration d) { return *this = *this - d; }

  constexpr bool IsMultipleOf(Duration step) const {
    return step.count() != 0 && ms_ % step.count() == 0;
  }

  // The whole number of steps from `zero`, counted towards `zero`: before it, this rounds up.
  constexpr Time Floor(Duration step, Time zero = Time(0)) const {
    if (step.count() == 0) return *this;
    return zero + step * ((*this - zero) / step);
  }

  // This time, and every `step` after it; Until leaves `end` out, To includes `last`. A negative
  // step counts down.
  std::vector<Time> Until(Time end, Duration step) const;
  std::vector<Time> To(Time last, Duration step) const;

  // A Time may be (part of) a record and a key.
  template <class Archive>
  void serialize(Archive& ar) {
    ar(ms_);
  }
  template <class H>
  friend H AbslHashValue(H state, Time time) {
    return H::combine(std::move(state), time.ms_);
  }

 private:
  int64_t ms_ = 0;
};

// "1000 ms"
std::string ToString(Time time);
std::ostream& operator<<(std::ostream& os, Time time);

template <class Sink>
void AbslStringify(Sink& sink, Time time) {
  sink.Append(ToString(time));
}

}  // namespace millrace

template <>
struct std::hash<millrace::Time> {
  size_t operator()(millrace::Time time) const noexcept { return std::hash<int64_t>()(time.ms()); }
};

#endif  // MILLRACE_COMMON_TIME_TIME_H_
