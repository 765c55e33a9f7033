#include "common/fs/file_util.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"

namespace millrace {

absl::Status WriteAndSync(FileSystem& fs, const std::string& path, std::string_view contents) {
  ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file,
                   fs.OpenForWrite(path, WriteMode::kTruncate));
  RETURN_IF_ERROR(file->Append(contents));
  RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

absl::StatusOr<std::string> ReadWholeFile(FileSystem& fs, const std::string& path,
                                          uint64_t bytes_max) {
  ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file, fs.OpenForRead(path));
  if (file->size_bytes() > bytes_max) {
    return absl::ResourceExhaustedError(absl::StrCat("file '", path, "' has ", file->size_bytes(),
                                                     " bytes; at most ", bytes_max,
                                                     " are allowed"));
  }
  std::string contents(file->size_bytes(), '\0');
  ASSIGN_OR_RETURN(const size_t read, file->ReadAt(0, contents.data(), contents.size()));
  contents.resize(read);
  return contents;
}

absl::Status WriteFileAtomically(FileSystem& fs, const std::string& path,
                                 std::string_view contents) {
  const std::string temporary = path + ".tmp";
  // Synced before it has its name: else a crash could leave an empty file under it.
  absl::Status status = WriteAndSync(fs, temporary, contents);
  if (status.ok()) status = fs.Rename(temporary, path);
  if (!status.ok()) {
    fs.Delete(temporary).IgnoreError();
    return status;
  }
  return fs.SyncDir(std::string(DirName(path)));
}

}  // namespace millrace
