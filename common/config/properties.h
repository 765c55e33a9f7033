// Settings from a properties file.
#ifndef MILLRACE_COMMON_CONFIG_PROPERTIES_H_
#define MILLRACE_COMMON_CONFIG_PROPERTIES_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/conf.h"
#include "common/fs/file_system.h"

namespace millrace {

// A setting a line, `key value` or `key = value`; empty lines and lines that begin with # say
// nothing. The last of several lines with one key counts. `origin` is the file's name, for errors:
// InvalidArgument, "conf/defaults.conf:12: ...".
absl::StatusOr<Conf> ParseProperties(std::string_view text, std::string_view origin);

// The same from a file of at most 1 MiB.
absl::StatusOr<Conf> ReadPropertiesFile(FileSystem& fs, const std::string& path);

// One setting as a flag has it: "KEY=VALUE". InvalidArgument names the text.
absl::Status SetFromAssignment(std::string_view assignment, Conf& conf);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONFIG_PROPERTIES_H_
