// Names of files with wildcards.
#ifndef MILLRACE_CLIENT_RDD_GLOB_H_
#define MILLRACE_CLIENT_RDD_GLOB_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace {
class FileSystem;
}

namespace millrace::internal {

// Whether `path` has a wildcard: * ? [...] {a,b}
bool HasWildcard(std::string_view path);

// The paths that match, in the order of names, each once. Every part of the path may have
// wildcards:
// * for any characters but a slash, ? for one, [a-c] or [!a-c] for one of a set, {a,b} for either.
// A leading dot is matched by a dot alone. A path without wildcards is its own only match, whether
// or not it is there; so is one with wildcards that is the name of a file.
absl::StatusOr<std::vector<std::string>> ExpandGlob(FileSystem& fs, const std::string& pattern);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_GLOB_H_
