// An application's settings.
#ifndef MILLRACE_COMMON_CONFIG_CONF_H_
#define MILLRACE_COMMON_CONFIG_CONF_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/statusor.h"

namespace millrace {

struct BoolKey;
struct BytesKey;
struct ConfKeyInfo;
struct DoubleKey;
struct DurationKey;
struct IntKey;
struct OptionalDurationKey;
struct OptionalIntKey;
struct OptionalStringKey;
struct StringKey;

// Keys and values as text, as they come from a program, a command line or a file. Which keys mean
// something to Millrace, and their defaults, is in common/config/keys.h; keys that do not begin
// with `millrace.` are the program's own.
//
// Setting never fails: values are checked when they are read, and all at once when a context is
// made (ValidateConf). The getters' errors are InvalidArgument, name the key and the value and say
// what is allowed.
//
// Threads: as a standard container.
class Conf {
 public:
  Conf& Set(std::string_view key, std::string_view value);
  // Numbers and booleans. (Not overloads: a string literal would become a bool.)
  template <class T>
  requires std::is_arithmetic_v<T> Conf& Set(std::string_view key, T value) {
    if constexpr (std::is_same_v<T, bool>) {
      return Set(key, std::string_view(value ? "true" : "false"));
    } else if constexpr (std::is_floating_point_v<T>) {
      return SetDouble(key, static_cast<double>(value));
    } else {
      return Set(key, std::string_view(std::to_string(value)));
    }
  }
  Conf& Set(std::string_view key, std::chrono::microseconds value);
  Conf& SetAppName(std::string_view name);  // millrace.app.name
  Conf& SetMaster(std::string_view url);    // millrace.master
  Conf& Remove(std::string_view key);       // As if it had never been set.

  // What was set, defaults not counted.
  bool Contains(std::string_view key) const;
  std::optional<std::string> Get(std::string_view key) const;
  std::string Get(std::string_view key, std::string_view default_value) const;

  // Takes from `lower` what is not set here: the program's Conf comes before the flags of
  // millrace-submit, and these before the properties file.
  Conf& MergeBelow(const Conf& lower);

  // Values of Millrace's own keys; a key's default when it is not set.
  absl::StatusOr<std::string> GetString(const StringKey& key) const;
  std::optional<std::string> GetString(const OptionalStringKey& key) const;
  absl::StatusOr<bool> GetBool(const BoolKey& key) const;
  absl::StatusOr<int64_t> GetInt(const IntKey& key) const;
  absl::StatusOr<std::optional<int64_t>> GetInt(const OptionalIntKey& key) const;
  absl::StatusOr<double> GetDouble(const DoubleKey& key) const;
  absl::StatusOr<std::chrono::microseconds> GetDuration(const DurationKey& key) const;
  absl::StatusOr<std::optional<std::chrono::microseconds>> GetDuration(
      const OptionalDurationKey& key) const;
  absl::StatusOr<int64_t> GetBytes(const BytesKey& key) const;

  // Values of the program's own keys. Numbers without a unit are milliseconds, and bytes.
  absl::StatusOr<bool> GetBool(std::string_view key, bool default_value) const;
  absl::StatusOr<int64_t> GetInt(std::string_view key, int64_t default_value) const;
  absl::StatusOr<double> GetDouble(std::string_view key, double default_value) const;
  absl::StatusOr<std::chrono::microseconds> GetDuration(
      std::string_view key, std::chrono::microseconds default_value) const;
  absl::StatusOr<int64_t> GetBytes(std::string_view key, int64_t default_value) const;

  const std::map<std::string, std::string, std::less<>>& entries() const { return entries_; }

  // A line `key=value` for each key, in order; values that look like secrets are hidden.
  std::string ToString() const;

  friend bool operator==(const Conf&, const Conf&) = default;

 private:
  Conf& SetDouble(std::string_view key, double value);
  // The text that counts for a key: what was set, else its default.
  std::optional<std::string_view> Find(const ConfKeyInfo& key) const;

  std::map<std::string, std::string, std::less<>> entries_;
};

// The value must not be shown: the key speaks of a password, secret, token or credential.
bool IsSecretKey(std::string_view key);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONFIG_CONF_H_
