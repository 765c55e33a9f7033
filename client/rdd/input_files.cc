#include "client/rdd/input_files.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/rdd/glob.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/fs/path.h"

namespace millrace::internal {
namespace {

// Markers and unfinished files of writers.
bool IsHidden(const std::string& name) { return name.starts_with('.') || name.starts_with('_'); }

absl::Status Add(FileSystem& fs, const std::string& path, std::vector<InputPath>& found) {
  ASSIGN_OR_RETURN(const FileInfo info, fs.Stat(path));
  if (!info.is_dir) {
    found.push_back({path, info.size_bytes});
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<FileInfo> children, fs.List(path));
  for (const FileInfo& child : children) {
    if (child.is_dir || IsHidden(child.name)) continue;
    found.push_back({JoinPath(path, child.name), child.size_bytes});
  }
  return absl::OkStatus();
}

}  // namespace

std::string AbsolutePath(const std::string& path) {
  if (path.find("://") != std::string::npos) return path;
  return std::filesystem::absolute(path).string();
}

absl::StatusOr<std::vector<InputPath>> FindInputPaths(FileSystem& fs, const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> matches, ExpandGlob(fs, AbsolutePath(path)));
  if (matches.empty()) return absl::NotFoundError(absl::StrCat("no file matches '", path, "'"));
  std::vector<InputPath> found;
  for (const std::string& match : matches) RETURN_IF_ERROR(Add(fs, match, found));
  return found;
}

}  // namespace millrace::internal
