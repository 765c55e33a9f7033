#include "common/fs/path.h"

namespace millrace {

namespace {

std::string_view WithoutEndSlashes(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

std::string JoinPath(std::string_view dir, std::string_view name) {
  std::string path(dir);
  if (!path.empty() && !path.ends_with('/')) path += '/';
  path += name;
  return path;
}

std::string_view BaseName(std::string_view path) {
  path = WithoutEndSlashes(path);
  return path == "/" ? path : path.substr(path.rfind('/') + 1);
}

std::string_view DirName(std::string_view path) {
  path = WithoutEndSlashes(path);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return WithoutEndSlashes(path.substr(0, slash));
}

}  // namespace millrace
