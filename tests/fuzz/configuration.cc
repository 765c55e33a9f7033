// Settings as text: files of properties, values of every type, and the keys that read them.
#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/conf.h"
#include "common/config/conf_value.h"
#include "common/config/demand.h"
#include "common/config/keys.h"
#include "common/config/properties.h"
#include "common/config/validate_conf.h"
#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"

namespace millrace::internal {
namespace {

// Any text as a value of any type. What is written again says the same.
void ParseValues(std::string_view text) {
  ParseBool(text);
  ParseDouble(text);
  ParseChoice(text, "FIFO|FAIR");
  if (const auto number = ParseInt(text)) CHECK(ParseInt(std::to_string(*number)) == number);
  for (const std::string_view unit : {"us", "ms", "s", "m"}) {
    const auto duration = ParseDuration(text, unit);
    if (duration.has_value()) CHECK(ParseDuration(FormatDuration(*duration), "h") == duration);
  }
  for (const std::string_view unit : {"b", "k", "m", "g"}) {
    const auto bytes = ParseBytes(text, unit);
    if (bytes.has_value()) CHECK(ParseBytes(FormatBytes(*bytes), "p") == bytes);
  }
}

void ReadKeys(const Conf& conf) {
  for (const auto& [key, value] : conf.entries()) {
    const ConfKeyInfo* const known = FindConfKey(key);
    if (known != nullptr) CheckConfValue(*known, value).IgnoreError();
    FindRetiredKey(key);
    conf.GetBool(key, false).IgnoreError();
    conf.GetInt(key, 0).IgnoreError();
    conf.GetDouble(key, 0).IgnoreError();
    conf.GetDuration(key, std::chrono::microseconds(0)).IgnoreError();
    conf.GetBytes(key, 0).IgnoreError();
  }
}

bool Run(std::string_view bytes) {
  ParseValues(bytes.substr(0, 64));
  const absl::StatusOr<Conf> conf = ParseProperties(bytes, "fuzz.conf");
  if (!conf.ok()) return false;
  for (const auto& [key, value] : conf->entries()) ParseValues(value);
  ReadKeys(*conf);
  DemandOf(*conf).status().IgnoreError();
  const std::string shown = conf->ToString();
  for (const auto& [key, value] : conf->entries()) {
    CHECK(!IsSecretKey(key) || value.size() < 8 || key.find(value) != std::string::npos ||
          conf->entries().size() > 1 || shown.find(value) == std::string::npos)
        << "a secret was shown";
    Conf one;
    CHECK(SetFromAssignment(absl::StrCat(key, "=", value), one).ok());
  }
  NearestConfKey(bytes.substr(0, std::min<size_t>(40, bytes.find('\n'))));
  std::vector<std::string> warnings;
  return ValidateConf(*conf, &warnings).ok();
}

// Every key's default, a few keys a file.
FuzzSeeds DefaultsSeeds() {
  constexpr size_t kKeysOfASeed = 8;
  FuzzSeeds seeds;
  size_t count = 0;
  for (const ConfKeyInfo* const key : AllConfKeys()) {
    if (key->default_text.empty()) continue;
    if (count++ % kKeysOfASeed == 0) seeds.emplace_back("keys-" + std::to_string(count), "");
    seeds.back().second += std::string(key->name) + "=" + std::string(key->default_text) + "\n";
  }
  return seeds;
}

FuzzSeeds Seeds() {
  FuzzSeeds seeds = DefaultsSeeds();
  seeds.insert(
      seeds.end(),
      {{"spaces",
        "# a comment\n\nmillrace.app.name   Word count\n"
        "millrace.streaming.blockInterval = 200ms\n"},
       {"units", "millrace.executor.memory 1g\nmillrace.cores.max 4\nprogram.timeout 1500us\n"},
       {"master", "millrace.master local[2,4]\nmillrace.streaming.backpressure.enabled TRUE\n"},
       {"secret", "program.password=correct horse battery\n"}});
  return seeds;
}

const FuzzTarget target("configuration", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
