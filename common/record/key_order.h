// When keys are the same and in which order they stand: as their own == and < say, but for NaN. By
// == it equals nothing, so every NaN would be a key of its own; by < it has no place, so nothing
// could be sorted with it. Here it is one key, behind all numbers, as a part of pairs, tuples and
// optionals too.
#ifndef MILLRACE_COMMON_RECORD_KEY_ORDER_H_
#define MILLRACE_COMMON_RECORD_KEY_ORDER_H_

#include <cmath>
#include <concepts>
#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "common/record/record_traits.h"

namespace millrace::internal {

template <class T>
inline constexpr bool kMayBeNan = std::is_floating_point_v<T>;
template <class A, class B>
inline constexpr bool kMayBeNan<std::pair<A, B>> = kMayBeNan<A> || kMayBeNan<B>;
template <class... Ts>
inline constexpr bool kMayBeNan<std::tuple<Ts...>> = (kMayBeNan<Ts> || ...);
template <class T>
inline constexpr bool kMayBeNan<std::optional<T>> = kMayBeNan<T>;

template <class T>
bool EqualKeys(const T& a, const T& b);
template <class T>
bool KeyLess(const T& a, const T& b);

template <class Tuple, size_t... i>
bool EqualParts(const Tuple& a, const Tuple& b, std::index_sequence<i...> /*parts*/) {
  return (EqualKeys(std::get<i>(a), std::get<i>(b)) && ...);
}

template <size_t i, class Tuple>
bool PartsLess(const Tuple& a, const Tuple& b) {
  if constexpr (i == std::tuple_size_v<Tuple>) {
    return false;
  } else {
    if (KeyLess(std::get<i>(a), std::get<i>(b))) return true;
    if (KeyLess(std::get<i>(b), std::get<i>(a))) return false;
    return PartsLess<i + 1>(a, b);
  }
}

template <class T>
bool EqualKeys(const T& a, const T& b) {
  if constexpr (!kMayBeNan<T>) {
    return a == b;
  } else if constexpr (std::is_floating_point_v<T>) {
    return a == b || (std::isnan(a) && std::isnan(b));
  } else if constexpr (kIsOptional<T>) {
    if (!a.has_value() || !b.has_value()) return a.has_value() == b.has_value();
    return EqualKeys(*a, *b);
  } else {
    return EqualParts(a, b, std::make_index_sequence<std::tuple_size_v<T>>());
  }
}

// A strict weak order if the parts' own ones are.
template <class T>
bool KeyLess(const T& a, const T& b) {
  if constexpr (!kMayBeNan<T>) {
    return a < b;
  } else if constexpr (std::is_floating_point_v<T>) {
    return a < b || (std::isnan(b) && !std::isnan(a));
  } else if constexpr (kIsOptional<T>) {
    if (!a.has_value() || !b.has_value()) return b.has_value() && !a.has_value();
    return KeyLess(*a, *b);
  } else {
    return PartsLess<0>(a, b);
  }
}

// KeyLess where an order is an argument. Views and what owns them compare without a copy.
struct KeyOrder {
  template <class A, class B>
  requires(std::same_as<A, B> || !(kMayBeNan<A> || kMayBeNan<B>)) &&
      requires(const A& a, const B& b) {
    { a < b } -> std::convertible_to<bool>;
  }
  bool operator()(const A& a, const B& b) const {
    if constexpr (std::same_as<A, B>) {
      return KeyLess(a, b);
    } else {
      return a < b;
    }
  }
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_RECORD_KEY_ORDER_H_
