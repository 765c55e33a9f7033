// What a record type is made of, told by its shape, so that no container header is needed here.
#ifndef MILLRACE_COMMON_RECORD_RECORD_TRAITS_H_
#define MILLRACE_COMMON_RECORD_RECORD_TRAITS_H_

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace millrace::internal {

template <class T>
concept Scalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;

// The bytes that hold a scalar's value: the rest of an x86 long double is whatever was there
// before.
template <class T>
inline constexpr size_t kScalarBytes =
    std::is_same_v<T, long double>&& std::numeric_limits<long double>::digits == 64 ? 10
                                                                                    : sizeof(T);

template <class T>
concept StringLike = std::same_as<T, std::string> || std::same_as<T, std::string_view>;

template <class T>
inline constexpr bool kIsPair = false;
template <class A, class B>
inline constexpr bool kIsPair<std::pair<A, B>> = true;

template <class T>
inline constexpr bool kIsTuple = false;
template <class... Ts>
inline constexpr bool kIsTuple<std::tuple<Ts...>> = true;

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

template <class T>
inline constexpr bool kIsVariant = false;
template <class... Ts>
inline constexpr bool kIsVariant<std::variant<Ts...>> = true;

template <class T>
inline constexpr bool kIsArray = false;
template <class T, size_t n>
inline constexpr bool kIsArray<std::array<T, n>> = true;

// A generated Protocol Buffers message, told by its methods.
template <class T>
concept ProtoMessage = requires(T& t, const T& c, void* to, const void* from, int size) {
  { c.ByteSizeLong() } -> std::convertible_to<size_t>;
  { c.SerializeToArray(to, size) } -> std::same_as<bool>;
  { t.ParseFromArray(from, size) } -> std::same_as<bool>;
};

// The standard sequences, sets and maps (and what looks like them).
template <class T>
concept Container = !StringLike<T> && !kIsArray<T> && requires(T & t, const T& c) {
  typename T::value_type;
  typename T::size_type;
  c.begin();
  c.end();
  t.clear();
};

template <class T>
concept ForwardList = Container<T> && requires(T& t) {
  t.before_begin();
};

template <class T>
concept UnorderedContainer = Container<T> && requires {
  typename T::hasher;
};

template <class T>
concept MapContainer = Container<T> && requires {
  typename T::mapped_type;
};

template <class T>
concept SetContainer = Container<T> && !MapContainer<T> && requires {
  typename T::key_type;
};

template <class T>
concept SequenceContainer = Container<T> && !MapContainer<T> && !SetContainer<T>;

// A struct with `template <class Archive> void serialize(Archive& archive) { archive(a, b); }`.
struct AnyArchive {
  template <class... Ts>
  void operator()(Ts&&...) {}
};
template <class T>
concept Serializable = requires(T& t, AnyArchive& archive) {
  t.serialize(archive);
};

// A type that has one value, and no bytes of its own to tell it by.
template <class T>
inline constexpr bool kIsEmptyArray = false;
template <class T>
inline constexpr bool kIsEmptyArray<std::array<T, 0>> = true;
template <class T>
concept SingleValued = kIsEmptyArray<T> || std::same_as<T, std::tuple<>> ||
    std::same_as<T, std::monostate> ||(std::is_empty_v<T>&& Serializable<T>);

// What records may be made of.
template <class T>
constexpr bool IsRecord() {
  if constexpr (std::is_const_v<T>) {  // The keys in a map's elements.
    return IsRecord<std::remove_const_t<T>>();
  } else if constexpr (Scalar<T> || StringLike<T> || SingleValued<T> || Serializable<T> ||
                       ProtoMessage<T>) {
    return true;
  } else if constexpr (kIsPair<T>) {
    return IsRecord<typename T::first_type>() && IsRecord<typename T::second_type>();
  } else if constexpr (kIsTuple<T> || kIsVariant<T>) {
    return []<template <class...> class Parts, class... Part>(const Parts<Part...>*) {
      return (IsRecord<Part>() && ...);
    }(static_cast<const T*>(nullptr));
  } else if constexpr (MapContainer<T>) {
    return IsRecord<typename T::key_type>() && IsRecord<typename T::mapped_type>();
  } else if constexpr (kIsOptional<T> || kIsArray<T> || Container<T>) {
    return IsRecord<typename T::value_type>();
  } else {
    return false;
  }
}
template <class T>
inline constexpr bool kIsRecord = IsRecord<T>();

template <class T>
concept PointerLike = std::is_pointer_v<T> || requires(const T& pointer) {
  typename T::element_type;
  *pointer;
  pointer.get();
};

// The messages about a type that cannot be (part of) a record.
template <class T>
constexpr void CheckRecord() {
  static_assert(!PointerLike<T>,
                "Millrace: a pointer cannot be a record, for it means nothing in another process: "
                "make the record the value itself, of a `const char*` a std::string");
  static_assert(PointerLike<T> || kIsRecord<T>,
                "Millrace: this type, or a part of it, cannot be a record: give it `template "
                "<class Archive> void serialize(Archive& archive) { archive(member, ...); }`");
}

// Whether == compares all of a T. (That of the standard's types is there whatever they hold.)
template <class T>
constexpr bool IsComparable() {
  if constexpr (kIsPair<T>) {
    return IsComparable<typename T::first_type>() && IsComparable<typename T::second_type>();
  } else if constexpr (kIsTuple<T> || kIsVariant<T>) {
    return []<template <class...> class Parts, class... Part>(const Parts<Part...>*) {
      return (IsComparable<Part>() && ...);
    }(static_cast<const T*>(nullptr));
  } else if constexpr (MapContainer<T>) {
    return IsComparable<typename T::key_type>() && IsComparable<typename T::mapped_type>();
  } else if constexpr (kIsOptional<T> || kIsArray<T> || Container<T>) {
    return IsComparable<typename T::value_type>();
  } else {
    return std::equality_comparable<T>;
  }
}

template <class K>
constexpr void CheckKey() {
  CheckRecord<K>();
  static_assert(IsComparable<K>(),
                "Millrace: a key needs operator==: give the struct `friend bool operator==(const "
                "MyKey&, const MyKey&) = default;`");
}

// A key that hashes itself.
template <class T>
concept HasStableHash = requires(const T& key) {
  { key.StableHash() } -> std::convertible_to<uint64_t>;
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_RECORD_RECORD_TRAITS_H_
