// Which functions may be given to an operation that runs on workers, and how they travel.
//
// No code is shipped: the worker runs the same binary and makes the function anew, so a function is
// its type and, when it carries data, the encoding of that data.
#ifndef MILLRACE_COMMON_FUNCTION_SHIPPABLE_H_
#define MILLRACE_COMMON_FUNCTION_SHIPPABLE_H_

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "common/function/function_params.h"
#include "common/record/codec.h"

namespace millrace::internal {

template <class F>
inline constexpr bool kIsFunctionPointer =
    std::is_pointer_v<F>&& std::is_function_v<std::remove_pointer_t<F>>;

template <class F>
concept ShippableFunction = std::is_default_constructible_v<F> && !kIsFunctionPointer<F> &&
                            (std::is_empty_v<F> || Serializable<F>);

// The messages of a wrong function; checked in this order so that one error says one thing.
template <class F>
constexpr void CheckShippable() {
  static_assert(!kIsFunctionPointer<F>,
                "Millrace: a bare function pointer cannot travel to workers: write "
                "millrace::Fn<&MyFunction> instead of &MyFunction");
  static_assert(
      kIsFunctionPointer<F> || ShippableFunction<F>,
      "Millrace: this function carries data that cannot travel to workers (a lambda with "
      "captures, a std::function, a struct without serialize). Write a lambda without "
      "captures and bind what it needs: millrace::BindFront([](const A& a, T record) {...}, "
      "a); or a struct with `template <class Archive> void serialize(Archive& archive)`");
}

template <class... Fs>
FunctionParams EncodeFunctions(const Fs&... functions) {
  FunctionParams params;
  const BroadcastRecorder recorder(params.broadcasts);
  Encoder encoder;
  const auto encode_one = [&encoder](const auto& f) {
    if constexpr (!std::is_empty_v<std::remove_cvref_t<decltype(f)>>) Encode(encoder, f);
  };
  (encode_one(functions), ...);
  params.bytes = encoder.ToString();
  return params;
}

// The decoder stands behind the function afterwards, failed if there was none.
template <class F>
F DecodeFunction(Decoder& decoder) {
  F f{};
  if constexpr (!std::is_empty_v<F>) Decode(decoder, f);
  return f;
}

// A record given to a function that was written for T or for Owned<T>, by value, by const reference
// or as auto. The record may be moved from.
template <class F, class T>
concept CallableForRecord = std::is_invocable_v<const F&, T&&>;

template <class F, class T>
concept CallableWith = CallableForRecord<F, T> || CallableForRecord<F, Owned<T>>;

template <class F, class T>
decltype(auto) CallWith(const F& f, T& record) {
  if constexpr (CallableForRecord<F, T>) {
    return f(std::move(record));
  } else {
    return f(ToOwned(std::move(record)));
  }
}

// What CallWith returns, without const and reference.
template <class F, class T>
using ResultOf =
    std::remove_cvref_t<decltype(CallWith(std::declval<const F&>(), std::declval<T&>()))>;

// The same for two arguments, which are converted together.
template <class F, class A, class B>
concept CallableWith2 =
    std::is_invocable_v<const F&, A&&, B&&> || std::is_invocable_v<const F&, Owned<A>, Owned<B>> ||
    std::is_invocable_v<const F&, Owned<A>, B &&> ||
    std::is_invocable_v<const F&, A&&, Owned<B>>;

template <class F, class A, class B>
decltype(auto) CallWith2(const F& f, A&& a, B&& b) {
  using DA = std::remove_cvref_t<A>;
  using DB = std::remove_cvref_t<B>;
  if constexpr (std::is_invocable_v<const F&, A&&, B&&>) {
    return f(std::forward<A>(a), std::forward<B>(b));
  } else if constexpr (std::is_invocable_v<const F&, Owned<DA>, Owned<DB>>) {
    return f(ToOwned<DA>(std::forward<A>(a)), ToOwned<DB>(std::forward<B>(b)));
  } else if constexpr (std::is_invocable_v<const F&, Owned<DA>, B&&>) {
    return f(ToOwned<DA>(std::forward<A>(a)), std::forward<B>(b));
  } else {
    return f(std::forward<A>(a), ToOwned<DB>(std::forward<B>(b)));
  }
}

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_FUNCTION_SHIPPABLE_H_
