// What is known about a configuration key: its name, type, unit, default and allowed values.
#ifndef MILLRACE_COMMON_CONFIG_CONF_KEY_H_
#define MILLRACE_COMMON_CONFIG_CONF_KEY_H_

#include <chrono>
#include <cstdint>
#include <limits>
#include <string_view>

namespace millrace {

enum class ConfType : uint8_t { kString, kBool, kInt, kDouble, kDuration, kBytes };

// Allowed numbers; of durations in microseconds, of sizes in bytes.
struct ConfRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_excluded = false;
};

constexpr ConfRange AnyNumber() { return {}; }
constexpr ConfRange AtLeast(double min) { return {.min = min}; }
constexpr ConfRange AtLeast(std::chrono::microseconds min) {
  return {.min = static_cast<double>(min.count())};
}
constexpr ConfRange Above(double min) { return {.min = min, .min_excluded = true}; }
constexpr ConfRange Between(double min, double max) { return {.min = min, .max = max}; }

struct ConfKeyInfo {
  std::string_view name;  // "millrace.streaming.blockInterval"
  ConfType type;
  std::string_view default_text;  // As a user would write it; empty: no default.
  std::string_view unit;          // Of a number without a suffix: "ms", "s"; "b", "m". Else empty.
  ConfRange range;
  std::string_view choices;     // Strings: "FIFO|FAIR", compared without case; empty: any.
  std::string_view doc;         // One line, without a full stop at the end.
  std::string_view older_name;  // Still understood.
};

// Typed keys, so that Conf's getters take no key of another type. A key has a default or is one of
// the Optional ones.
struct StringKey : ConfKeyInfo {
  constexpr StringKey(std::string_view name, std::string_view default_text,
                      std::string_view choices, std::string_view doc)
      : ConfKeyInfo{name, ConfType::kString, default_text, "", {}, choices, doc, ""} {}
};

struct OptionalStringKey : ConfKeyInfo {
  constexpr OptionalStringKey(std::string_view name, std::string_view doc)
      : ConfKeyInfo{name, ConfType::kString, "", "", {}, "", doc, ""} {}
};

struct BoolKey : ConfKeyInfo {
  constexpr BoolKey(std::string_view name, bool default_value, std::string_view doc,
                    std::string_view older_name = "")
      : ConfKeyInfo{name, ConfType::kBool, default_value ? "true" : "false", "", {}, "",
                    doc,  older_name} {}
};

struct IntKey : ConfKeyInfo {
  constexpr IntKey(std::string_view name, std::string_view default_text, ConfRange range,
                   std::string_view doc)
      : ConfKeyInfo{name, ConfType::kInt, default_text, "", range, "", doc, ""} {}
};

struct OptionalIntKey : ConfKeyInfo {
  constexpr OptionalIntKey(std::string_view name, ConfRange range, std::string_view doc)
      : ConfKeyInfo{name, ConfType::kInt, "", "", range, "", doc, ""} {}
};

struct DoubleKey : ConfKeyInfo {
  constexpr DoubleKey(std::string_view name, std::string_view default_text, ConfRange range,
                      std::string_view doc)
      : ConfKeyInfo{name, ConfType::kDouble, default_text, "", range, "", doc, ""} {}
};

struct DurationKey : ConfKeyInfo {
  constexpr DurationKey(std::string_view name, std::string_view default_text, std::string_view unit,
                        ConfRange range, std::string_view doc, std::string_view older_name = "")
      : ConfKeyInfo{name, ConfType::kDuration, default_text, unit, range, "", doc, older_name} {}
};

struct OptionalDurationKey : ConfKeyInfo {
  constexpr OptionalDurationKey(std::string_view name, std::string_view unit, ConfRange range,
                                std::string_view doc)
      : ConfKeyInfo{name, ConfType::kDuration, "", unit, range, "", doc, ""} {}
};

struct BytesKey : ConfKeyInfo {
  constexpr BytesKey(std::string_view name, std::string_view default_text, std::string_view unit,
                     ConfRange range, std::string_view doc)
      : ConfKeyInfo{name, ConfType::kBytes, default_text, unit, range, "", doc, ""} {}
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONFIG_CONF_KEY_H_
