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

// The messages of a wrong function, of which it gets one.
template <class F>
constexpr void CheckShippable() {
  static_assert(!kIsFunctionPointer<F>,
                "Millrace: a bare function pointer cannot travel to workers: write "
                "millrace::Fn<&MyFunction> instead of &MyFunction");
  static_assert(!std::is_member_pointer_v<F>,
                "Millrace: a pointer to a member cannot travel to workers: write a lambda without "
                "captures that uses the member, [](const T& record) { return record.member(); }");
  static_assert(!Serializable<F> || std::is_default_constructible_v<F>,
                "Millrace: workers make this function anew before its `serialize` fills it: give "
                "the struct a default constructor, MyFunction() = default");
  static_assert(
      kIsFunctionPointer<F> || std::is_member_pointer_v<F> || Serializable<F> ||
          ShippableFunction<F>,
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

// What a fold may return: a To, or what a To can own.
template <class R, class To>
concept OwnableAs =
    std::is_convertible_v<R, To> || std::is_convertible_v<Owned<std::remove_cvref_t<R>>, To>;

// A step of a fold: (A, B) -> To.
template <class F, class A, class B, class To>
concept FoldStep = CallableWith2<F, A, B> &&
    OwnableAs<decltype(CallWith2(std::declval<const F&>(), std::declval<A>(), std::declval<B>())),
              To>;

// total = f(total, value), for an f that was written for V or for Owned<V> and returns either.
template <class V, class F>
void FoldInto(const F& f, Owned<V>& total, std::type_identity_t<V>&& value) {
  if constexpr (!kHoldsViews<V>) {
    total = OwnedAs<V>(CallWith2(f, std::move(total), std::move(value)));
  } else if constexpr (std::is_invocable_v<const F&, V, V>) {
    // The result may view either argument: it is owned before the total is overwritten.
    Owned<V> result = OwnedAs<Owned<V>>(f(ViewOf<V>(total), std::move(value)));
    total = std::move(result);
  } else {
    Owned<V> result = OwnedAs<Owned<V>>(CallWith2(f, std::move(total), std::move(value)));
    total = std::move(result);
  }
}

// The same for two totals.
template <class V, class F>
void MergeInto(const F& f, Owned<V>& total, Owned<V>&& other) {
  if constexpr (kHoldsViews<V>) {
    FoldInto<V>(f, total, ViewOf<V>(other));
  } else {
    FoldInto<V>(f, total, std::move(other));
  }
}

// A condition on a record, written for T or for Owned<T>.
template <class F, class T>
concept CallablePredicate =
    std::is_invocable_v<const F&, const T&> || std::is_invocable_v<const F&, Owned<T>>;

template <class F, class T>
decltype(auto) CallPredicate(const F& f, const T& record) {
  if constexpr (std::is_invocable_v<const F&, const T&>) {
    return f(record);
  } else {
    return f(ToOwned<T>(record));
  }
}

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_FUNCTION_SHIPPABLE_H_
