#include "common/config/conf_value.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace millrace {

namespace {

struct Suffix {
  std::string_view name;
  int64_t factor;
};

constexpr Suffix kDurationSuffixes[] = {
    {"us", 1},           {"ms", 1'000},        {"s", 1'000'000},      {"m", 60'000'000},
    {"min", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000},
};

constexpr Suffix kByteSuffixes[] = {
    {"b", 1},
    {"k", int64_t{1} << 10},
    {"kb", int64_t{1} << 10},
    {"m", int64_t{1} << 20},
    {"mb", int64_t{1} << 20},
    {"g", int64_t{1} << 30},
    {"gb", int64_t{1} << 30},
    {"t", int64_t{1} << 40},
    {"tb", int64_t{1} << 40},
    {"p", int64_t{1} << 50},
    {"pb", int64_t{1} << 50},
};

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

std::string_view Trim(std::string_view text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(Absl(text));
  return {trimmed.data(), trimmed.size()};
}

template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  text = Trim(text);
  Number value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A whole number with one of the suffixes, times the suffix's factor.
template <size_t kCount>
std::optional<int64_t> ParseScaled(std::string_view text, std::string_view bare_unit,
                                   const Suffix (&suffixes)[kCount]) {
  text = Trim(text);
  int64_t number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  std::string_view suffix = Trim(text.substr(end - text.data()));
  if (suffix.empty()) suffix = bare_unit;
  for (const auto& [name, factor] : suffixes) {
    if (!absl::EqualsIgnoreCase(Absl(name), Absl(suffix))) continue;
    int64_t scaled;
    if (__builtin_mul_overflow(number, factor, &scaled)) return std::nullopt;
    return scaled;
  }
  return std::nullopt;
}

// The value as a number to hold against the key's range; of strings and booleans 0. nullopt: not of
// the key's form.
std::optional<double> ParseForRange(const ConfKeyInfo& key, std::string_view text) {
  const auto as_double = [](auto value) -> std::optional<double> {
    if (!value.has_value()) return std::nullopt;
    return static_cast<double>(*value);
  };
  switch (key.type) {
    case ConfType::kString:
      if (!key.choices.empty() && !ParseChoice(text, key.choices)) return std::nullopt;
      return 0;
    case ConfType::kBool:
      return as_double(ParseBool(text));
    case ConfType::kInt:
      return as_double(ParseInt(text));
    case ConfType::kDouble:
      return ParseDouble(text);
    case ConfType::kDuration:
      if (const auto duration = ParseDuration(text, key.unit)) {
        return static_cast<double>(duration->count());
      }
      return std::nullopt;
    case ConfType::kBytes:
      return as_double(ParseBytes(text, key.unit));
  }
  return std::nullopt;
}

bool InRange(const ConfRange& range, double value) {
  if (range.min_excluded ? value <= range.min : value < range.min) return false;
  return value <= range.max;
}

std::string FormatBound(const ConfKeyInfo& key, double bound) {
  const auto whole = static_cast<int64_t>(bound);
  switch (key.type) {
    case ConfType::kDuration:
      return FormatDuration(std::chrono::microseconds(whole));
    case ConfType::kBytes:
      return FormatBytes(whole);
    default:
      return absl::StrCat(bound);
  }
}

std::string FormOf(const ConfKeyInfo& key) {
  switch (key.type) {
    case ConfType::kString: {
      if (key.choices.empty()) return "text";
      return absl::StrCat("one of ", absl::StrJoin(absl::StrSplit(Absl(key.choices), '|'), ", "));
    }
    case ConfType::kBool:
      return "true or false";
    case ConfType::kInt:
      return "a whole number";
    case ConfType::kDouble:
      return "a number";
    case ConfType::kDuration:
      return absl::StrCat(
          "a duration (a whole number with us, ms, s, m, min, h or d, such as 200ms; "
          "without a unit it is in ",
          Absl(key.unit), ")");
    case ConfType::kBytes:
      return absl::StrCat(
          "a size (a whole number with b, k, m, g, t or p, such as 64m; without a "
          "unit it is in ",
          key.unit == "b" ? "bytes" : "mebibytes", ")");
  }
  return "";
}

}  // namespace

std::optional<bool> ParseBool(std::string_view text) {
  text = Trim(text);
  if (absl::EqualsIgnoreCase(Absl(text), "true")) return true;
  if (absl::EqualsIgnoreCase(Absl(text), "false")) return false;
  return std::nullopt;
}

std::optional<int64_t> ParseInt(std::string_view text) { return ParseNumber<int64_t>(text); }

std::optional<double> ParseDouble(std::string_view text) {
  const std::optional<double> value = ParseNumber<double>(text);
  return value.has_value() && std::isfinite(*value) ? value : std::nullopt;
}

std::optional<std::chrono::microseconds> ParseDuration(std::string_view text,
                                                       std::string_view bare_unit) {
  const std::optional<int64_t> micros = ParseScaled(text, bare_unit, kDurationSuffixes);
  if (!micros.has_value()) return std::nullopt;
  return std::chrono::microseconds(*micros);
}

std::optional<int64_t> ParseBytes(std::string_view text, std::string_view bare_unit) {
  return ParseScaled(text, bare_unit, kByteSuffixes);
}

std::optional<std::string_view> ParseChoice(std::string_view text, std::string_view choices) {
  text = Trim(text);
  for (const absl::string_view choice : absl::StrSplit(Absl(choices), '|')) {
    if (absl::EqualsIgnoreCase(choice, Absl(text))) {
      return std::string_view(choice.data(), choice.size());
    }
  }
  return std::nullopt;
}

absl::Status CheckConfValue(const ConfKeyInfo& key, std::string_view text) {
  const std::optional<double> value = ParseForRange(key, text);
  if (value.has_value() && InRange(key.range, *value)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      Absl(key.name), ": '", Absl(text), "' is not allowed; it must be ", AllowedValues(key)));
}

std::string AllowedValues(const ConfKeyInfo& key) {
  std::string allowed = FormOf(key);
  if (std::isfinite(key.range.min)) {
    absl::StrAppend(&allowed, key.range.min_excluded ? ", more than " : ", at least ",
                    FormatBound(key, key.range.min));
  }
  if (std::isfinite(key.range.max)) {
    absl::StrAppend(&allowed, ", at most ", FormatBound(key, key.range.max));
  }
  return allowed;
}

std::string FormatDuration(std::chrono::microseconds duration) {
  const int64_t micros = duration.count();
  if (micros % 1'000 != 0) return absl::StrCat(micros, "us");
  if (micros % 1'000'000 != 0) return absl::StrCat(micros / 1'000, "ms");
  return absl::StrCat(micros / 1'000'000, "s");
}

std::string FormatBytes(int64_t bytes) {
  constexpr std::string_view kUnits = "bkmgtp";
  size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return absl::StrCat(bytes, std::string(1, kUnits[unit]));
}

}  // namespace millrace
