// Whole files at once.
#ifndef MILLRACE_COMMON_FS_FILE_UTIL_H_
#define MILLRACE_COMMON_FS_FILE_UTIL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fs/file_system.h"

namespace millrace {

// ResourceExhausted: the file is larger than `bytes_max`, which is the caller's idea of what such a
// file may be.
absl::StatusOr<std::string> ReadWholeFile(FileSystem& fs, const std::string& path,
                                          uint64_t bytes_max);

// Afterwards `path` holds `contents`; on the disk, but for its name, which needs a SyncDir.
absl::Status WriteAndSync(FileSystem& fs, const std::string& path, std::string_view contents);

// Afterwards `path` holds `contents` and that is on the disk, or, with an error, what it held
// before. Uses `path` + ".tmp"; one writer at a time.
absl::Status WriteFileAtomically(FileSystem& fs, const std::string& path,
                                 std::string_view contents);

}  // namespace millrace

#endif  // MILLRACE_COMMON_FS_FILE_UTIL_H_
