// The machine's own files.
#ifndef MILLRACE_COMMON_FS_LOCAL_FILE_SYSTEM_H_
#define MILLRACE_COMMON_FS_LOCAL_FILE_SYSTEM_H_

#include <memory>
#include <string>
#include <vector>

#include "common/fs/file_system.h"

namespace millrace {

class LocalFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForRead(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(const std::string& path,
                                                             WriteMode mode) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status RenameToNew(const std::string& from, const std::string& to) override;
  absl::Status ReplaceDir(const std::string& from, const std::string& to) override;
  absl::Status Delete(const std::string& path) override;
  absl::Status DeleteRecursively(const std::string& path) override;
  absl::Status CreateDirs(const std::string& path) override;
  absl::StatusOr<std::vector<FileInfo>> List(const std::string& dir) override;
  absl::StatusOr<FileInfo> Stat(const std::string& path) override;
  absl::Status SyncDir(const std::string& dir) override;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_FS_LOCAL_FILE_SYSTEM_H_
