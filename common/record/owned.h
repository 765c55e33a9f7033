// Views and what outlives them. A record may hold std::string_view into a received block, valid
// until its task ends; whatever is kept longer is of the owning type.
#ifndef MILLRACE_COMMON_RECORD_OWNED_H_
#define MILLRACE_COMMON_RECORD_OWNED_H_

#include <utility>

#include "common/record/record_traits.h"

namespace millrace {
namespace internal {

template <class T>
struct OwnedType {
  using type = T;
};
template <>
struct OwnedType<std::string_view> {
  using type = std::string;
};
template <class A, class B>
struct OwnedType<std::pair<A, B>> {
  using type = std::pair<typename OwnedType<A>::type, typename OwnedType<B>::type>;
};
template <class... Ts>
struct OwnedType<std::tuple<Ts...>> {
  using type = std::tuple<typename OwnedType<Ts>::type...>;
};
template <class T>
struct OwnedType<std::optional<T>> {
  using type = std::optional<typename OwnedType<T>::type>;
};
template <class... Ts>
struct OwnedType<std::variant<Ts...>> {
  using type = std::variant<typename OwnedType<Ts>::type...>;
};
template <class T, size_t n>
struct OwnedType<std::array<T, n>> {
  using type = std::array<typename OwnedType<T>::type, n>;
};
// Containers whose elements hold views take their default comparator, hash and allocator when they
// are rebuilt with owning elements; the others stay as they are.
template <template <class...> class C, class... Args>
requires SequenceContainer<C<Args...>> || SetContainer<C<Args...>>
struct OwnedType<C<Args...>> {
  using Element = typename C<Args...>::value_type;
  using OwnedElement = typename OwnedType<Element>::type;
  template <bool same, class Dummy>
  struct Pick {
    using type = C<Args...>;
  };
  template <class Dummy>
  struct Pick<false, Dummy> {
    using type = C<OwnedElement>;
  };
  using type = typename Pick<std::is_same_v<Element, OwnedElement>, void>::type;
};
template <template <class...> class C, class... Args>
requires MapContainer<C<Args...>>
struct OwnedType<C<Args...>> {
  using Key = typename C<Args...>::key_type;
  using Mapped = typename C<Args...>::mapped_type;
  using OwnedKey = typename OwnedType<Key>::type;
  using OwnedMapped = typename OwnedType<Mapped>::type;
  template <bool same, class Dummy>
  struct Pick {
    using type = C<Args...>;
  };
  template <class Dummy>
  struct Pick<false, Dummy> {
    using type = C<OwnedKey, OwnedMapped>;
  };
  static constexpr bool kSame =
      std::is_same_v<Key, OwnedKey> && std::is_same_v<Mapped, OwnedMapped>;
  using type = typename Pick<kSame, void>::type;
};

}  // namespace internal

// The type that owns what T views: std::string for std::string_view, and so through pairs, tuples,
// optionals, variants, arrays and containers. T itself when it holds no view.
template <class T>
using Owned = typename internal::OwnedType<T>::type;

namespace internal {

template <class T>
inline constexpr bool kHoldsViews = !std::is_same_v<T, Owned<T>>;

// `variant` with f applied to what it holds; To's alternatives are f's results, one for one.
template <class To, size_t index = 0, class V, class F>
To MapVariant(V&& variant, const F& f) {
  if constexpr (index + 1 < std::variant_size_v<To>) {
    if (variant.index() != index) return MapVariant<To, index + 1>(std::forward<V>(variant), f);
  }
  return To(std::in_place_index<index>, f(std::get<index>(std::forward<V>(variant))));
}

// A copy of `value` that owns its bytes. Moves from `value` where it holds no view.
template <class T>
Owned<T> ToOwned(T value) {
  if constexpr (!kHoldsViews<T>) {
    return value;
  } else if constexpr (StringLike<T>) {
    return std::string(value);
  } else if constexpr (kIsPair<T>) {
    return Owned<T>(ToOwned(std::move(value.first)), ToOwned(std::move(value.second)));
  } else if constexpr (kIsTuple<T>) {
    return std::apply([](auto&&... parts) { return Owned<T>(ToOwned(std::move(parts))...); },
                      std::move(value));
  } else if constexpr (kIsOptional<T>) {
    if (!value.has_value()) return std::nullopt;
    return Owned<T>(ToOwned(*std::move(value)));
  } else if constexpr (kIsVariant<T>) {
    return MapVariant<Owned<T>>(std::move(value),
                                [](auto&& held) { return ToOwned(std::move(held)); });
  } else if constexpr (kIsArray<T>) {
    Owned<T> result;
    for (size_t i = 0; i < value.size(); ++i) result[i] = ToOwned(std::move(value[i]));
    return result;
  } else if constexpr (ForwardList<T>) {
    Owned<T> result;
    auto last = result.before_begin();
    for (auto& element : value) last = result.insert_after(last, ToOwned(element));
    return result;
  } else {
    Owned<T> result;
    for (auto& element : value) {
      if constexpr (MapContainer<T>) {
        result.emplace(ToOwned(element.first), ToOwned(element.second));
      } else {
        result.insert(result.end(), ToOwned(element));
      }
    }
    return result;
  }
}

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_COMMON_RECORD_OWNED_H_
