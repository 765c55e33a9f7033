#include "common/fs/file_system.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace millrace {

absl::Status RandomAccessFile::CheckRange(uint64_t offset, size_t size) const {
  if (offset <= size_bytes() && size <= size_bytes() - offset) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("file '", path(), "' ends at ", size_bytes(), ", but ",
                                          size, " bytes at ", offset, " are needed"));
}

absl::StatusOr<Buffer> RandomAccessFile::Read(uint64_t offset, size_t size) const {
  RETURN_IF_ERROR(CheckRange(offset, size));
  const Slab slab(size);
  ASSIGN_OR_RETURN(const size_t read, ReadAt(offset, slab.data(), size));
  if (read < size) {
    return absl::DataLossError(
        absl::StrCat("file '", path(), "' was cut short at ", offset + read, " while it was read"));
  }
  return slab.Slice(0, size);
}

absl::StatusOr<Buffer> RandomAccessFile::Map(uint64_t offset, size_t size) const {
  return Read(offset, size);
}

absl::StatusOr<bool> FileSystem::Exists(const std::string& path) {
  const absl::Status status = Stat(path).status();
  if (absl::IsNotFound(status)) return false;
  RETURN_IF_ERROR(status);
  return true;
}

}  // namespace millrace
