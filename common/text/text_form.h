// The text form of records: what Print, SaveAsTextFiles and ToText write.
//
//   strings, string views, char        as they are
//   integers (also int8_t and uint8_t) decimal
//   floating point                     shortest digits that read back the same; see AppendFloat
//   bool                               true, false
//   enums                              their number
//   pairs, tuples                      (a,b)
//   sequences, sets                    [a,b]
//   maps                               {k:v,k:v}
//   optionals                          some(x), none
//   variants                           the value held; std::monostate: none
//   Protocol Buffers messages          their one-line debug string
//   other types                        AbslStringify, else operator<<, else it does not compile
//
// Included by every user program: no stream headers here.
#ifndef MILLRACE_COMMON_TEXT_TEXT_FORM_H_
#define MILLRACE_COMMON_TEXT_TEXT_FORM_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "common/record/record_traits.h"

namespace millrace::internal {

void AppendInteger(std::string& out, int64_t value);
void AppendInteger(std::string& out, uint64_t value);

// The fewest digits that read back as the same value. Plain from 0.0001 up to below 1e16, with
// ".0" when whole; with an exponent outside: 1e+16, 1.5e-05. Also inf, -inf, nan, -0.0.
void AppendFloat(std::string& out, float value);
void AppendFloat(std::string& out, double value);
void AppendFloat(std::string& out, long double value);

// As UTF-8; U+FFFD for what is no code point.
void AppendCodePoint(std::string& out, char32_t code_point);

// Runs `print(stream, value)` on a stream that writes to `out`, with the classic locale.
void AppendStreamed(std::string& out, void (*print)(std::ostream& os, const void* value),
                    const void* value);

// What AbslStringify writes to; absl::Format can write to it too.
class TextSink {
 public:
  explicit TextSink(std::string& out) : out_(out) {}

  void Append(size_t count, char c) { out_.append(count, c); }
  void Append(std::string_view text) { out_.append(text); }
  // Of absl::string_view, which need not be the standard one.
  template <class Text>
  requires(!std::is_convertible_v<const Text&, std::string_view>) void Append(const Text& text) {
    out_.append(text.data(), text.size());
  }

  template <class Text>
  friend void AbslFormatFlush(TextSink* sink, const Text& text) {
    sink->Append(text);
  }

 private:
  std::string& out_;
};

template <class T>
concept ProtobufMessage = requires(const T& message) {
  { message.ShortDebugString() } -> std::same_as<std::string>;
};

template <class T>
concept Stringifies = requires(TextSink& sink, const T& value) {
  AbslStringify(sink, value);
};

template <class T>
concept Streams = requires(std::ostream& os, const T& value) {
  os << value;
};

// Excludes std::filesystem::path, whose elements are paths for ever.
template <class T>
concept Range = requires(const T& range) {
  range.begin() != range.end();
  typename T::value_type;
  requires !std::is_same_v<typename T::value_type, T>;
};

template <class T>
concept Map = Range<T> && requires {
  typename T::mapped_type;
};

template <class T>
constexpr bool HasTextForm() {
  if constexpr (std::is_convertible_v<const T&, std::string_view> || std::is_arithmetic_v<T> ||
                std::is_enum_v<T> || std::is_same_v<T, std::monostate> || ProtobufMessage<T> ||
                Stringifies<T>) {
    return true;
  } else if constexpr (kIsPair<T> || kIsTuple<T> || kIsVariant<T>) {
    return []<template <class...> class Parts, class... Part>(const Parts<Part...>*) {
      return (HasTextForm<std::remove_cv_t<Part>>() && ...);
    }(static_cast<const T*>(nullptr));
  } else if constexpr (kIsOptional<T> || Range<T>) {
    return HasTextForm<typename T::value_type>();
  } else {
    return Streams<T> && !std::is_pointer_v<T> && !std::is_array_v<T>;
  }
}

template <class T>
constexpr void CheckTextForm() {
  static_assert(
      HasTextForm<T>(),
      "Millrace: this record type, or a part of it, has no text form. Give the struct, in its own "
      "namespace, either `template <class Sink> void AbslStringify(Sink& sink, const MyType& "
      "value) { sink.Append(...); }` or `std::ostream& operator<<(std::ostream&, const "
      "MyType&)`, or map it to a type that has one before it is printed or saved as text.");
}

template <class T>
void AppendText(std::string& out, const T& value);

template <class Tuple>
void AppendTuple(std::string& out, const Tuple& tuple) {
  out += '(';
  std::apply(
      [&out](const auto&... elements) {
        [[maybe_unused]] bool first = true;
        ((first ? void(first = false) : out.push_back(','), AppendText(out, elements)), ...);
      },
      tuple);
  out += ')';
}

template <class R>
void AppendRange(std::string& out, const R& range) {
  out += '[';
  bool first = true;
  for (const auto& element : range) {
    if (!first) out += ',';
    first = false;
    AppendText<typename R::value_type>(out, element);
  }
  out += ']';
}

template <class M>
void AppendMap(std::string& out, const M& map) {
  out += '{';
  bool first = true;
  for (const auto& [key, value] : map) {
    if (!first) out += ',';
    first = false;
    AppendText(out, key);
    out += ':';
    AppendText(out, value);
  }
  out += '}';
}

template <class T>
void AppendArithmetic(std::string& out, T value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char> || std::is_same_v<T, char8_t>) {
    out += static_cast<char>(value);
  } else if constexpr (std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t> ||
                       std::is_same_v<T, wchar_t>) {
    AppendCodePoint(out, static_cast<char32_t>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    AppendFloat(out, value);
  } else if constexpr (std::is_signed_v<T>) {
    AppendInteger(out, static_cast<int64_t>(value));
  } else {
    AppendInteger(out, static_cast<uint64_t>(value));
  }
}

template <class T>
void AppendText(std::string& out, const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    out += std::string_view(value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    AppendArithmetic(out, value);
  } else if constexpr (std::is_enum_v<T>) {
    // +: an enum over char is a number too.
    AppendText(out, +static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (kIsPair<T> || kIsTuple<T>) {
    AppendTuple(out, value);
  } else if constexpr (kIsOptional<T>) {
    if (value.has_value()) {
      out += "some(";
      AppendText(out, *value);
      out += ')';
    } else {
      out += "none";
    }
  } else if constexpr (kIsVariant<T>) {
    std::visit([&out](const auto& held) { AppendText(out, held); }, value);
  } else if constexpr (std::is_same_v<T, std::monostate>) {
    out += "none";
  } else if constexpr (ProtobufMessage<T>) {
    out += value.ShortDebugString();
  } else if constexpr (Stringifies<T>) {
    TextSink sink(out);
    AbslStringify(sink, value);
  } else if constexpr (Map<T>) {
    AppendMap(out, value);
  } else if constexpr (Range<T>) {
    AppendRange(out, value);
  } else {
    CheckTextForm<T>();
    AppendStreamed(
        out, [](std::ostream& os, const void* v) { os << *static_cast<const T*>(v); }, &value);
  }
}

}  // namespace millrace::internal

namespace millrace {

// The text form of a record, as Print and SaveAsTextFiles write it.
template <class T>
std::string ToText(const T& value) {
  std::string out;
  internal::AppendText(out, value);
  return out;
}

}  // namespace millrace

#endif  // MILLRACE_COMMON_TEXT_TEXT_FORM_H_
