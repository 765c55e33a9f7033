// A file as the pieces in which it is sent.
#ifndef MILLRACE_COMMON_FS_FOR_EACH_CHUNK_H_
#define MILLRACE_COMMON_FS_FOR_EACH_CHUNK_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/fs/file_system.h"

namespace millrace {

// Hands the file's bytes on in order, with the size of the whole, in pieces of at most 1 MiB, until
// `take` returns false: nobody wants more.
absl::Status ForEachChunk(FileSystem& fs, const std::string& path,
                          absl::FunctionRef<bool(int64_t size_bytes, std::string bytes)> take);

}  // namespace millrace

#endif  // MILLRACE_COMMON_FS_FOR_EACH_CHUNK_H_
