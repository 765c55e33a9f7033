// Checking an application's settings before it starts.
#ifndef MILLRACE_COMMON_CONFIG_VALIDATE_CONF_H_
#define MILLRACE_COMMON_CONFIG_VALIDATE_CONF_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/config/conf.h"

namespace millrace {

// InvalidArgument with a line for each wrong value: key, value, what is allowed. What is no error
// but surely a mistake (an unknown `millrace.` key, a key of Spark's) is appended to `warnings`.
absl::Status ValidateConf(const Conf& conf, std::vector<std::string>* warnings);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONFIG_VALIDATE_CONF_H_
