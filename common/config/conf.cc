#include "common/config/conf.h"

#include <charconv>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/config/conf_key.h"
#include "common/config/conf_value.h"
#include "common/config/keys.h"

namespace millrace {

namespace {

// A key of the program's own, to be held to a type as Millrace's are.
ConfKeyInfo OwnKey(std::string_view name, ConfType type, std::string_view unit = "") {
  return {.name = name,
          .type = type,
          .default_text = "",
          .unit = unit,
          .range = {},
          .choices = "",
          .doc = "",
          .older_name = ""};
}

// Checks `text` and parses it with `parse`, which then cannot fail.
template <class Parse>
auto Checked(const ConfKeyInfo& key, std::string_view text, Parse parse)
    -> absl::StatusOr<std::decay_t<decltype(*parse(text))>> {
  if (absl::Status status = CheckConfValue(key, text); !status.ok()) return status;
  return *parse(text);
}

absl::StatusOr<std::chrono::microseconds> CheckedDuration(const ConfKeyInfo& key,
                                                          std::string_view text) {
  return Checked(key, text, [&key](std::string_view t) { return ParseDuration(t, key.unit); });
}

absl::StatusOr<int64_t> CheckedBytes(const ConfKeyInfo& key, std::string_view text) {
  return Checked(key, text, [&key](std::string_view t) { return ParseBytes(t, key.unit); });
}

}  // namespace

Conf& Conf::Set(std::string_view key, std::string_view value) {
  entries_.insert_or_assign(std::string(key), std::string(value));
  return *this;
}

Conf& Conf::Set(std::string_view key, std::chrono::microseconds value) {
  return Set(key, std::string_view(FormatDuration(value)));
}

Conf& Conf::SetDouble(std::string_view key, double value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return Set(key, std::string_view(text, end - text));
}

Conf& Conf::SetAppName(std::string_view name) { return Set(keys::kAppName.name, name); }

Conf& Conf::SetMaster(std::string_view url) { return Set(keys::kMaster.name, url); }

Conf& Conf::Remove(std::string_view key) {
  if (const auto entry = entries_.find(key); entry != entries_.end()) entries_.erase(entry);
  return *this;
}

bool Conf::Contains(std::string_view key) const { return entries_.contains(key); }

std::optional<std::string> Conf::Get(std::string_view key) const {
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return std::nullopt;
  return entry->second;
}

std::string Conf::Get(std::string_view key, std::string_view default_value) const {
  const auto entry = entries_.find(key);
  return entry == entries_.end() ? std::string(default_value) : entry->second;
}

Conf& Conf::MergeBelow(const Conf& lower) {
  entries_.insert(lower.entries_.begin(), lower.entries_.end());
  return *this;
}

std::optional<std::string_view> Conf::Find(const ConfKeyInfo& key) const {
  auto entry = entries_.find(key.name);
  if (entry == entries_.end() && !key.older_name.empty()) entry = entries_.find(key.older_name);
  if (entry != entries_.end()) return entry->second;
  if (key.default_text.empty()) return std::nullopt;
  return key.default_text;
}

absl::StatusOr<std::string> Conf::GetString(const StringKey& key) const {
  const std::string_view text = Find(key).value_or("");
  if (key.choices.empty()) return std::string(text);
  return Checked(key, text, [&key](std::string_view t) -> std::optional<std::string> {
    return std::string(*ParseChoice(t, key.choices));
  });
}

std::optional<std::string> Conf::GetString(const OptionalStringKey& key) const {
  return Get(key.name);
}

absl::StatusOr<bool> Conf::GetBool(const BoolKey& key) const {
  return Checked(key, *Find(key), ParseBool);
}

absl::StatusOr<int64_t> Conf::GetInt(const IntKey& key) const {
  return Checked(key, *Find(key), ParseInt);
}

absl::StatusOr<std::optional<int64_t>> Conf::GetInt(const OptionalIntKey& key) const {
  const auto text = Find(key);
  if (!text.has_value()) return std::optional<int64_t>();
  return Checked(key, *text, ParseInt);
}

absl::StatusOr<double> Conf::GetDouble(const DoubleKey& key) const {
  return Checked(key, *Find(key), ParseDouble);
}

absl::StatusOr<std::chrono::microseconds> Conf::GetDuration(const DurationKey& key) const {
  return CheckedDuration(key, *Find(key));
}

absl::StatusOr<std::optional<std::chrono::microseconds>> Conf::GetDuration(
    const OptionalDurationKey& key) const {
  const auto text = Find(key);
  if (!text.has_value()) return std::optional<std::chrono::microseconds>();
  return CheckedDuration(key, *text);
}

absl::StatusOr<int64_t> Conf::GetBytes(const BytesKey& key) const {
  return CheckedBytes(key, *Find(key));
}

absl::StatusOr<bool> Conf::GetBool(std::string_view key, bool default_value) const {
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return default_value;
  return Checked(OwnKey(key, ConfType::kBool), entry->second, ParseBool);
}

absl::StatusOr<int64_t> Conf::GetInt(std::string_view key, int64_t default_value) const {
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return default_value;
  return Checked(OwnKey(key, ConfType::kInt), entry->second, ParseInt);
}

absl::StatusOr<double> Conf::GetDouble(std::string_view key, double default_value) const {
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return default_value;
  return Checked(OwnKey(key, ConfType::kDouble), entry->second, ParseDouble);
}

absl::StatusOr<std::chrono::microseconds> Conf::GetDuration(
    std::string_view key, std::chrono::microseconds default_value) const {
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return default_value;
  return CheckedDuration(OwnKey(key, ConfType::kDuration, "ms"), entry->second);
}

absl::StatusOr<int64_t> Conf::GetBytes(std::string_view key, int64_t default_value) const {
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return default_value;
  return CheckedBytes(OwnKey(key, ConfType::kBytes, "b"), entry->second);
}

std::string Conf::ToString() const {
  std::string text;
  for (const auto& [key, value] : entries_) {
    absl::StrAppend(&text, key, "=", IsSecretKey(key) ? "*********" : value, "\n");
  }
  return text;
}

bool IsSecretKey(std::string_view key) {
  const std::string lower = absl::AsciiStrToLower(absl::string_view(key.data(), key.size()));
  for (const char* word :
       {"password", "passwd", "secret", "token", "credential", "accesskey", "access.key"}) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

}  // namespace millrace
