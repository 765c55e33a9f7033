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

// `from` rebuilt as a To, which differs from it in the types of its texts alone: `text` makes each
// text of a part that holds views. Other parts are copied, or moved where `from` may be.
template <class To, class From, class Text>
To RebuildText(From&& from, const Text& text);

template <class To, size_t index = 0, class From, class Text>
To RebuildVariant(From&& from, const Text& text) {
  if constexpr (index + 1 < std::variant_size_v<To>) {
    if (from.index() != index) {
      return RebuildVariant<To, index + 1>(std::forward<From>(from), text);
    }
  }
  return To(std::in_place_index<index>, RebuildText<std::variant_alternative_t<index, To>>(
                                            std::get<index>(std::forward<From>(from)), text));
}

template <class To, class From, class Text>
To RebuildContainer(From& from, const Text& text) {
  To to;
  if constexpr (ForwardList<To>) {
    auto last = to.before_begin();
    for (auto& element : from) {
      last = to.insert_after(last, RebuildText<typename To::value_type>(element, text));
    }
  } else {
    for (auto& element : from) {
      if constexpr (MapContainer<To>) {
        to.emplace(RebuildText<typename To::key_type>(element.first, text),
                   RebuildText<typename To::mapped_type>(element.second, text));
      } else {
        to.insert(to.end(), RebuildText<typename To::value_type>(element, text));
      }
    }
  }
  return to;
}

template <class To, class From, class Text>
To RebuildText(From&& from, const Text& text) {
  if constexpr (!kHoldsViews<std::remove_cvref_t<From>> && !kHoldsViews<To>) {
    return std::forward<From>(from);
  } else if constexpr (StringLike<To>) {
    return text(from);
  } else if constexpr (kIsPair<To>) {
    return To(RebuildText<typename To::first_type>(std::forward<From>(from).first, text),
              RebuildText<typename To::second_type>(std::forward<From>(from).second, text));
  } else if constexpr (kIsTuple<To>) {
    return [&]<size_t... i>(std::index_sequence<i...>) {
      return To(
          RebuildText<std::tuple_element_t<i, To>>(std::get<i>(std::forward<From>(from)), text)...);
    }
    (std::make_index_sequence<std::tuple_size_v<To>>());
  } else if constexpr (kIsOptional<To>) {
    if (!from.has_value()) return std::nullopt;
    return To(RebuildText<typename To::value_type>(*std::forward<From>(from), text));
  } else if constexpr (kIsVariant<To>) {
    return RebuildVariant<To>(std::forward<From>(from), text);
  } else if constexpr (kIsArray<To>) {
    To to;
    for (size_t i = 0; i < to.size(); ++i) {
      to[i] = RebuildText<typename To::value_type>(from[i], text);
    }
    return to;
  } else {
    return RebuildContainer<To>(from, text);
  }
}

// A copy of `value` that owns its bytes. Moves from `value` where it holds no view.
template <class T>
Owned<T> ToOwned(T value) {
  return RebuildText<Owned<T>>(std::move(value),
                               [](std::string_view text) { return std::string(text); });
}

// The owning record `owned` as a T: a view of it, or it itself where T holds no views.
template <class T>
decltype(auto) ViewOf(const Owned<T>& owned) {
  if constexpr (kHoldsViews<T>) {
    return RebuildText<T>(owned, [](const std::string& text) { return std::string_view(text); });
  } else {
    return (owned);
  }
}

// A function's `result` as the owning type To, which may own what it views.
template <class To, class R>
To OwnedAs(R&& result) {
  if constexpr (std::is_convertible_v<R&&, To>) {
    return std::forward<R>(result);
  } else {
    return ToOwned<std::remove_cvref_t<R>>(std::forward<R>(result));
  }
}

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_COMMON_RECORD_OWNED_H_
