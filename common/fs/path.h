// Names of files.
#ifndef MILLRACE_COMMON_FS_PATH_H_
#define MILLRACE_COMMON_FS_PATH_H_

#include <string>
#include <string_view>

namespace millrace {

// "a" and "b" to "a/b"; no slash is doubled.
std::string JoinPath(std::string_view dir, std::string_view name);

// What stands behind the last slash; slashes at the end do not count.
std::string_view BaseName(std::string_view path);

// What stands before it: "." where there is none, "/" for what is at the root.
std::string_view DirName(std::string_view path);

}  // namespace millrace

#endif  // MILLRACE_COMMON_FS_PATH_H_
