#include "client/rdd/glob.h"

#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/fs/path.h"

namespace millrace::internal {
namespace {

// The end of the group that opens at `open`; npos when it is not closed.
size_t ClosingBrace(std::string_view pattern, size_t open) {
  int depth = 0;
  for (size_t i = open; i < pattern.size(); ++i) {
    if (pattern[i] == '{') ++depth;
    if (pattern[i] == '}' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

std::vector<std::string_view> Alternatives(std::string_view group) {
  std::vector<std::string_view> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    if (group[i] == '{') ++depth;
    if (group[i] == '}') --depth;
    if (group[i] == ',' && depth == 0) {
      parts.push_back(group.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  parts.push_back(group.substr(begin));
  return parts;
}

// "a{b,c}d" to "abd", "acd"; a brace that is not closed stands for itself.
std::vector<std::string> ExpandBraces(const std::string& pattern) {
  const size_t open = pattern.find('{');
  const size_t close = open == std::string::npos ? open : ClosingBrace(pattern, open);
  if (close == std::string::npos) return {pattern};
  std::vector<std::string> expanded;
  const std::string_view group = std::string_view(pattern).substr(open + 1, close - open - 1);
  for (const std::string_view part : Alternatives(group)) {
    const std::string chosen =
        pattern.substr(0, open) + std::string(part) + pattern.substr(close + 1);
    for (std::string& path : ExpandBraces(chosen)) expanded.push_back(std::move(path));
  }
  return expanded;
}

// What matches `pattern` from `begin` on, below `dir`.
absl::Status Walk(FileSystem& fs, const std::string& dir, const std::string& pattern, size_t begin,
                  std::vector<std::string>& found) {
  const size_t slash = pattern.find('/', begin);
  const std::string part = pattern.substr(begin, slash - begin);
  const bool is_last = pattern.find_first_not_of('/', slash) == std::string::npos;
  const size_t next = is_last ? std::string::npos : pattern.find_first_not_of('/', slash);
  if (!HasWildcard(part)) {
    const std::string path = dir.empty() ? part : JoinPath(dir, part);
    if (!is_last) return Walk(fs, path, pattern, next, found);
    ASSIGN_OR_RETURN(const bool exists, fs.Exists(path));
    if (exists) found.push_back(path);
    return absl::OkStatus();
  }
  const auto children = fs.List(dir.empty() ? "." : dir);
  // A file, or a directory that has gone: nothing below it matches.
  if (absl::IsNotFound(children.status()) || absl::IsFailedPrecondition(children.status())) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(children.status());
  for (const FileInfo& child : *children) {
    if (fnmatch(part.c_str(), child.name.c_str(), FNM_PERIOD) != 0) continue;
    const std::string path = dir.empty() ? child.name : JoinPath(dir, child.name);
    if (is_last) {
      found.push_back(path);
    } else if (child.is_dir) {
      RETURN_IF_ERROR(Walk(fs, path, pattern, next, found));
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool HasWildcard(std::string_view path) {
  return path.find_first_of("*?[{") != std::string_view::npos;
}

absl::StatusOr<std::vector<std::string>> ExpandGlob(FileSystem& fs, const std::string& pattern) {
  if (!HasWildcard(pattern)) return std::vector<std::string>{pattern};
  ASSIGN_OR_RETURN(const bool is_name, fs.Exists(pattern));
  if (is_name) return std::vector<std::string>{pattern};
  std::vector<std::string> found;
  for (const std::string& path : ExpandBraces(pattern)) {
    const size_t begin = path.find_first_not_of('/');
    if (begin == std::string::npos) continue;
    RETURN_IF_ERROR(Walk(fs, path.substr(0, begin), path, begin, found));
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace millrace::internal
