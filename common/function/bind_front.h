// Functions that carry data openly, so that it can travel to where they run.
#ifndef MILLRACE_COMMON_FUNCTION_BIND_FRONT_H_
#define MILLRACE_COMMON_FUNCTION_BIND_FRONT_H_

#include <tuple>
#include <type_traits>
#include <utility>

#include "common/record/codec.h"
#include "common/record/owned.h"

namespace millrace {
namespace internal {

// What is kept of a bound value: decayed and owning; a literal or char pointer as std::string.
template <class V>
struct BoundValue {
  using Decayed = std::decay_t<V>;
  using type =
      std::conditional_t<std::is_same_v<Decayed, const char*> || std::is_same_v<Decayed, char*>,
                         std::string, Owned<Decayed>>;

  static type Keep(V&& value) {
    if constexpr (std::is_pointer_v<Decayed>) {
      return std::string(value);
    } else {
      return ToOwned<Decayed>(std::forward<V>(value));
    }
  }
};

}  // namespace internal

// See BindFront.
template <class F, class... Values>
class BoundFunction {
 public:
  BoundFunction() = default;
  explicit BoundFunction(Values... values) requires(sizeof...(Values) > 0)
      : values_(std::move(values)...) {}

  template <class... Args>
  requires std::is_invocable_v<const F&, const Values&..., Args...>
  decltype(auto) operator()(Args&&... args) const {
    return std::apply(
        [&](const Values&... values) -> decltype(auto) {
          return F()(values..., std::forward<Args>(args)...);
        },
        values_);
  }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(values_);
  }

  using Function = F;

 private:
  std::tuple<Values...> values_;
};

// Makes a function that calls `f` with `values` before its own arguments, as
//   lines.Filter(millrace::BindFront(
//       [](const std::string& word, std::string_view line) { return line.find(word) != line.npos;
//       }, word));
// `f` must be empty (no captures); the values must be of record types. They are kept decayed and
// owning (a string literal as std::string), and passed by const reference.
template <class F, class... Values>
auto BindFront(F /*f*/, Values&&... values) {
  static_assert(std::is_empty_v<F> && std::is_default_constructible_v<F>,
                "BindFront takes a function without captures: pass what it needs as further "
                "arguments, BindFront([](const A& a, ...) {...}, a)");
  static_assert(
      (internal::kIsRecord<typename internal::BoundValue<Values>::type> && ...),
      "BindFront: a bound value is of no record type, so it cannot travel to workers: give "
      "it `template <class Archive> void serialize(Archive& archive) { archive(member, "
      "...); }`, or make it where the function runs");
  using Bound = BoundFunction<F, typename internal::BoundValue<Values>::type...>;
  return Bound(internal::BoundValue<Values>::Keep(std::forward<Values>(values))...);
}

namespace internal {

template <auto function>
struct NamedFunction {
  template <class... Args>
  requires std::is_invocable_v<decltype(function), Args...>
  decltype(auto) operator()(Args&&... args) const { return function(std::forward<Args>(args)...); }
  // `Fn<&MyFunction>()` is the object too, for those who take Fn for a type.
  NamedFunction operator()() const requires(!std::is_invocable_v<decltype(function)>) { return {}; }
};

}  // namespace internal

// A named function as a function object: `words.Map(millrace::Fn<&Normalize>)`.
template <auto function>
inline constexpr internal::NamedFunction<function> Fn{};

}  // namespace millrace

#endif  // MILLRACE_COMMON_FUNCTION_BIND_FRONT_H_
