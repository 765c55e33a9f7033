// Finding the files that a path names.
#ifndef MILLRACE_CLIENT_RDD_INPUT_FILES_H_
#define MILLRACE_CLIENT_RDD_INPUT_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace {
class FileSystem;
}

namespace millrace::internal {

// Workers may have other working directories. What has a scheme ("s3://...") stays as it is.
std::string AbsolutePath(const std::string& path);

struct InputPath {
  std::string path;
  int64_t bytes = 0;
};

// A file; the files in a directory, but those whose names begin with `.` or `_`; or all that a path
// with wildcards matches (see ExpandGlob). In the order of names. NotFound when there is none such
// path.
absl::StatusOr<std::vector<InputPath>> FindInputPaths(FileSystem& fs, const std::string& path);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_INPUT_FILES_H_
