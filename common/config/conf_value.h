// Values of settings, from text.
#ifndef MILLRACE_COMMON_CONFIG_CONF_VALUE_H_
#define MILLRACE_COMMON_CONFIG_CONF_VALUE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/config/conf_key.h"

namespace millrace {

// Blanks around a value and the case of words and suffixes do not matter. nullopt: not of the form.
std::optional<bool> ParseBool(std::string_view text);      // true, false
std::optional<int64_t> ParseInt(std::string_view text);    // -12
std::optional<double> ParseDouble(std::string_view text);  // Finite: 0.75, 1e6
// A whole number and one of us, ms, s, m, min, h, d. `bare_unit` is that of a number without one.
std::optional<std::chrono::microseconds> ParseDuration(std::string_view text,
                                                       std::string_view bare_unit);
// A whole number and one of b, k, m, g, t, p (kb, mb, ...), powers of 1024.
std::optional<int64_t> ParseBytes(std::string_view text, std::string_view bare_unit);
// The one of `choices` ("FIFO|FAIR") that `text` is, in its spelling there.
std::optional<std::string_view> ParseChoice(std::string_view text, std::string_view choices);

// OK, or InvalidArgument: `text` is no allowed value of `key`.
absl::Status CheckConfValue(const ConfKeyInfo& key, std::string_view text);

// What a value of the key looks like, for messages and documentation: "a duration (...), at least
// 1ms".
std::string AllowedValues(const ConfKeyInfo& key);

// "200ms", "60s", "1500us": the largest unit up to seconds that loses nothing.
std::string FormatDuration(std::chrono::microseconds duration);
// "16m", "1g", "1500b".
std::string FormatBytes(int64_t bytes);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONFIG_CONF_VALUE_H_
