// What a record type's encoding looks like, as a text that stays the same in every process: two
// types with one schema read each other's bytes. Saved data carries it, so that a program that has
// changed finds out before it reads.
//
//   i32 u8 f64 bool       scalars; an enum as its number          str   string and view
//   (a,b)                 pairs and tuples                        a*3   array of three
//   ?a                    optional                                <a|b> variant
//   [a]                   sequences and sets                      [k:v] maps
//   {a,b}                 a struct, by what its `serialize` names
//   ^                     a struct within itself                  message:Name  Protocol Buffers
#ifndef MILLRACE_COMMON_RECORD_SCHEMA_H_
#define MILLRACE_COMMON_RECORD_SCHEMA_H_

#include <algorithm>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <variant>
#include <vector>

#include "common/record/record_traits.h"

namespace millrace::internal {

class SchemaWriter {
 public:
  template <class T>
  void Add() {
    if constexpr (Scalar<T>) {
      AddScalar<T>();
    } else if constexpr (StringLike<T>) {
      text_ += "str";
    } else if constexpr (kIsPair<T>) {
      AddList<typename T::first_type, typename T::second_type>("(", ",", ")");
    } else if constexpr (kIsTuple<T>) {
      AddParts(static_cast<const T*>(nullptr), "(", ",", ")");
    } else if constexpr (kIsVariant<T>) {
      AddParts(static_cast<const T*>(nullptr), "<", "|", ">");
    } else if constexpr (std::is_same_v<T, std::monostate>) {
      text_ += "()";
    } else if constexpr (kIsArray<T>) {
      Add<typename T::value_type>();
      text_ += "*" + std::to_string(std::tuple_size_v<T>);
    } else if constexpr (kIsOptional<T>) {
      text_ += "?";
      Add<typename T::value_type>();
    } else if constexpr (Serializable<T>) {
      AddStruct<T>();
    } else if constexpr (ProtoMessage<T>) {
      AddMessage<T>();
    } else if constexpr (MapContainer<T>) {
      AddList<typename T::key_type, typename T::mapped_type>("[", ":", "]");
    } else {
      AddList<typename T::value_type>("[", "", "]");
    }
  }

  // For `serialize` of a struct.
  template <class... Ts>
  void operator()(Ts&... /*members*/) {
    (AddMember<Ts>(), ...);
  }

  std::string Take() { return std::move(text_); }

 private:
  template <class T>
  void AddScalar() {
    if constexpr (std::is_enum_v<T>) {
      AddScalar<std::underlying_type_t<T>>();
    } else if constexpr (std::is_same_v<T, bool>) {
      text_ += "bool";
    } else {
      const char* const kind =
          std::is_floating_point_v<T> ? "f" : (std::is_signed_v<T> ? "i" : "u");
      text_ += kind + std::to_string(8 * kScalarBytes<T>);
    }
  }

  template <class... Ts>
  void AddList(const char* open, const char* between, const char* close) {
    text_ += open;
    const char* separator = "";
    ((text_ += separator, separator = between, Add<std::remove_cv_t<Ts>>()), ...);
    text_ += close;
  }

  template <template <class...> class Parts, class... Part>
  void AddParts(const Parts<Part...>* /*type*/, const char* open, const char* between,
                const char* close) {
    AddList<Part...>(open, between, close);
  }

  // One is made to ask it what it names; a default-constructed one, as when it is decoded.
  template <class T>
  void AddStruct() {
    const std::type_index type(typeid(T));
    if (std::find(within_.begin(), within_.end(), type) != within_.end()) {
      text_ += "^";
      return;
    }
    within_.push_back(type);
    text_ += "{";
    T value{};
    value.serialize(*this);
    if (text_.back() == ',') text_.pop_back();
    text_ += "}";
    within_.pop_back();
  }
  template <class T>
  void AddMember() {
    Add<std::remove_cv_t<T>>();
    text_ += ",";
  }

  template <class T>
  void AddMessage() {
    text_ += "message:";
    if constexpr (requires(const T& message) { message.GetTypeName(); }) {
      text_ += T().GetTypeName();
    }
  }

  std::string text_;
  std::vector<std::type_index> within_;
};

template <class T>
std::string SchemaOf() {
  SchemaWriter writer;
  writer.Add<T>();
  return writer.Take();
}

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_RECORD_SCHEMA_H_
