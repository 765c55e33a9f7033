#include "common/fs/for_each_chunk.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"

namespace millrace {

namespace {

constexpr uint64_t kChunkBytes = uint64_t{1} << 20;

}  // namespace

absl::Status ForEachChunk(FileSystem& fs, const std::string& path,
                          absl::FunctionRef<bool(int64_t size_bytes, std::string bytes)> take) {
  ASSIGN_OR_RETURN(const auto file, fs.OpenForRead(path));
  for (uint64_t offset = 0; offset < file->size_bytes();) {
    std::string bytes(std::min(kChunkBytes, file->size_bytes() - offset), '\0');
    ASSIGN_OR_RETURN(const size_t size, file->ReadAt(offset, bytes.data(), bytes.size()));
    if (size == 0) break;
    bytes.resize(size);
    offset += size;
    if (!take(static_cast<int64_t>(file->size_bytes()), std::move(bytes))) break;
  }
  return absl::OkStatus();
}

}  // namespace millrace
