#include "common/config/validate_conf.h"

#include <optional>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/conf_value.h"
#include "common/config/keys.h"
#include "common/config/master_url.h"

namespace millrace {

namespace {

constexpr std::string_view kSparkPrefix = "spark.";

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

// What to say about a key that no table knows; nullopt: nothing, it is the program's own.
std::optional<std::string> WarnAbout(std::string_view name) {
  if (name.starts_with(kSparkPrefix)) {
    const std::string renamed =
        absl::StrCat(Absl(kConfKeyPrefix), Absl(name.substr(kSparkPrefix.size())));
    const ConfKeyInfo* key = FindConfKey(renamed);
    return absl::StrCat("configuration key ", Absl(name), " is not read; ",
                        key != nullptr ? "write " : "the nearest known key is ",
                        Absl(key != nullptr ? key->name : NearestConfKey(renamed).name));
  }
  if (!name.starts_with(kConfKeyPrefix)) return std::nullopt;
  if (const RetiredKey* retired = FindRetiredKey(name)) {
    return absl::StrCat("configuration key ", Absl(name),
                        " has no effect: ", Absl(retired->reason));
  }
  return absl::StrCat("unknown configuration key ", Absl(name), "; did you mean ",
                      Absl(NearestConfKey(name).name), "?");
}

// Rules that span two keys. Values that are wrong by themselves have been reported already.
void CheckCombinations(const Conf& conf, std::vector<std::string>& errors) {
  const auto streaming_allocation = conf.GetBool(keys::kStreamingDynamicAllocationEnabled);
  const auto core_allocation = conf.GetBool(keys::kDynamicAllocationEnabled);
  if (streaming_allocation.value_or(false) && core_allocation.value_or(false)) {
    errors.push_back(absl::StrCat(Absl(keys::kStreamingDynamicAllocationEnabled.name), " and ",
                                  Absl(keys::kDynamicAllocationEnabled.name),
                                  " are both 'true'; at most one of them may be"));
  }
  const auto up = conf.GetDouble(keys::kScalingUpRatio);
  const auto down = conf.GetDouble(keys::kScalingDownRatio);
  if (up.ok() && down.ok() && *up <= *down) {
    errors.push_back(absl::StrCat(Absl(keys::kScalingUpRatio.name), ": '", *up,
                                  "' is not allowed; it must be more than ",
                                  Absl(keys::kScalingDownRatio.name), ", which is ", *down));
  }
  const auto min = conf.GetInt(keys::kStreamingMinExecutors);
  const auto max = conf.GetInt(keys::kStreamingMaxExecutors);
  if (min.ok() && max.ok() && min->has_value() && max->has_value() && **max < **min) {
    errors.push_back(absl::StrCat(Absl(keys::kStreamingMaxExecutors.name), ": '", **max,
                                  "' is not allowed; it must be at least ",
                                  Absl(keys::kStreamingMinExecutors.name), ", which is ", **min));
  }
}

}  // namespace

absl::Status ValidateConf(const Conf& conf, std::vector<std::string>* warnings) {
  std::vector<std::string> errors;
  const auto check = [&errors](const absl::Status& status) {
    if (!status.ok()) errors.emplace_back(status.message());
  };
  for (const auto& [name, value] : conf.entries()) {
    if (const ConfKeyInfo* key = FindConfKey(name)) {
      check(CheckConfValue(*key, value));
      if (value != key->default_text && !HasEffect(*key)) {
        warnings->push_back(
            absl::StrCat("configuration key ", Absl(name), " has no effect in this version"));
      }
    } else if (std::optional<std::string> warning = WarnAbout(name)) {
      warnings->push_back(*std::move(warning));
    }
  }
  if (const auto master = conf.Get(keys::kMaster.name)) check(ParseMasterUrl(*master).status());
  CheckCombinations(conf, errors);
  if (errors.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
}

}  // namespace millrace
