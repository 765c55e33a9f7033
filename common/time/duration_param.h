// Durations as public functions take them.
#ifndef MILLRACE_COMMON_TIME_DURATION_PARAM_H_
#define MILLRACE_COMMON_TIME_DURATION_PARAM_H_

#include <chrono>
#include <type_traits>

namespace millrace::internal {

template <class T>
inline constexpr bool kIsDuration = false;
template <class Rep, class Period>
inline constexpr bool kIsDuration<std::chrono::duration<Rep, Period>> = true;

// What may be a function where a duration may stand too.
template <class F>
concept FunctionLike = !kIsDuration<F> && !std::is_arithmetic_v<F>;

// A parameter's type: any std::chrono duration that converts to milliseconds without loss. Others
// do not compile, and are told what to write, which std::chrono::milliseconds would not do.
class DurationParam {
 public:
  // It stands where a program writes a duration, so all of it is implicit.
  template <class Rep, class Period>
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr DurationParam(std::chrono::duration<Rep, Period> duration)
      : value_(std::chrono::duration_cast<std::chrono::milliseconds>(duration)) {
    static_assert(std::is_convertible_v<decltype(duration), std::chrono::milliseconds>,
                  "Millrace: durations are whole milliseconds, and this one may lose a part when "
                  "it becomes one: write 1500ms for 1.5s, and for another duration d "
                  "std::chrono::duration_cast<std::chrono::milliseconds>(d)");
  }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr DurationParam(Number /*number*/) {
    static_assert(kIsDuration<Number>,
                  "Millrace: a duration needs a unit: write 10s, 500ms (with `using namespace "
                  "std::chrono_literals`) or std::chrono::seconds(n)");
  }

  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr operator std::chrono::milliseconds() const { return value_; }

 private:
  std::chrono::milliseconds value_{0};
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_TIME_DURATION_PARAM_H_
