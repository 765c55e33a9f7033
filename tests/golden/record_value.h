// Between typed records and Values.
#ifndef MILLRACE_TESTS_GOLDEN_RECORD_VALUE_H_
#define MILLRACE_TESTS_GOLDEN_RECORD_VALUE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/text/text_form.h"
#include "tests/golden/value.h"

namespace millrace::golden {

using Int = int64_t;
using Text = std::string;
using View = std::string_view;
using TextInt = std::pair<Text, Int>;
using TextText = std::pair<Text, Text>;
using ViewInt = std::pair<View, Int>;
using IntInt = std::pair<Int, Int>;
using TextDouble = std::pair<Text, double>;
using DoubleInt = std::pair<double, Int>;

// How a record type is written and read. An empty struct is a record too, without anything to see.
template <class T>
struct RecordForm {
  static_assert(std::is_empty_v<T>, "a record type that the case files have no form for");
  static std::string Name() { return "nothing"; }
  static Value ToValue(const T& /*record*/) { return Value::Tuple({}); }
};

template <>
struct RecordForm<Int> {
  static std::string Name() { return "int"; }
  static Value ToValue(Int record) { return Value::Atom(absl::StrCat(record)); }
  static bool FromValue(const Value& value, Int& record) {
    return value.kind == Value::Kind::kAtom && absl::SimpleAtoi(value.text, &record);
  }
};

// An atom: the text form.
template <>
struct RecordForm<double> {
  static std::string Name() { return "double"; }
  static Value ToValue(double record) { return Value::Atom(ToText(record)); }
  static bool FromValue(const Value& value, double& record) {
    return value.kind == Value::Kind::kAtom && absl::SimpleAtod(value.text, &record);
  }
};

template <>
struct RecordForm<Text> {
  static std::string Name() { return "text"; }
  static Value ToValue(const Text& record) { return Value::Atom(record); }
  static bool FromValue(const Value& value, Text& record) {
    record = value.text;
    return value.kind == Value::Kind::kAtom;
  }
};

template <>
struct RecordForm<View> {
  static std::string Name() { return "view"; }
};

template <class A, class B>
struct RecordForm<std::pair<A, B>> {
  static std::string Name() {
    return absl::StrCat("(", RecordForm<A>::Name(), ",", RecordForm<B>::Name(), ")");
  }
  static Value ToValue(const std::pair<A, B>& record) {
    return Value::Tuple(
        {RecordForm<A>::ToValue(record.first), RecordForm<B>::ToValue(record.second)});
  }
  static bool FromValue(const Value& value, std::pair<A, B>& record) {
    return value.kind == Value::Kind::kTuple && value.text.empty() && value.elements.size() == 2 &&
           RecordForm<A>::FromValue(value.elements[0], record.first) &&
           RecordForm<B>::FromValue(value.elements[1], record.second);
  }
};

template <class... Ts>
struct RecordForm<std::tuple<Ts...>> {
  static std::string Name() {
    std::string names;
    ((names += (names.empty() ? "" : ",") + RecordForm<Ts>::Name()), ...);
    return absl::StrCat("(", names, ")");
  }
  static Value ToValue(const std::tuple<Ts...>& record) {
    return std::apply(
        [](const Ts&... parts) { return Value::Tuple({RecordForm<Ts>::ToValue(parts)...}); },
        record);
  }
};

template <class T>
struct RecordForm<std::vector<T>> {
  static std::string Name() { return absl::StrCat("[", RecordForm<T>::Name(), "]"); }
  static Value ToValue(const std::vector<T>& record) {
    std::vector<Value> elements;
    for (const T& element : record) elements.push_back(RecordForm<T>::ToValue(element));
    return Value::List(std::move(elements));
  }
};

template <class T>
struct RecordForm<std::optional<T>> {
  static std::string Name() { return absl::StrCat(RecordForm<T>::Name(), "?"); }
  static Value ToValue(const std::optional<T>& record) {
    if (!record.has_value()) return Value::Atom("none");
    return {Value::Kind::kTuple, "some", {RecordForm<T>::ToValue(*record)}};
  }
};

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_RECORD_VALUE_H_
