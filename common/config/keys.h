// Every configuration key of Millrace.
#ifndef MILLRACE_COMMON_CONFIG_KEYS_H_
#define MILLRACE_COMMON_CONFIG_KEYS_H_

#include <string_view>
#include <vector>

#include "common/config/application_keys.h"
#include "common/config/conf_key.h"
#include "common/config/engine_keys.h"
#include "common/config/streaming_keys.h"

namespace millrace {

inline constexpr std::string_view kConfKeyPrefix = "millrace.";

// A key of Spark's that means nothing here, whatever its value.
struct RetiredKey {
  std::string_view name;
  std::string_view reason;
};

// In the order in which they are documented.
const std::vector<const ConfKeyInfo*>& AllConfKeys();

// By name or older name; nullptr when there is none.
const ConfKeyInfo* FindConfKey(std::string_view name);
// False: it is known, but nothing reads it yet.
bool HasEffect(const ConfKeyInfo& key);
const RetiredKey* FindRetiredKey(std::string_view name);

// The known key that `name` most probably was meant to be.
const ConfKeyInfo& NearestConfKey(std::string_view name);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONFIG_KEYS_H_
