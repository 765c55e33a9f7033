#include "common/fs/local_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"
#include "common/fs/posix_file.h"

namespace millrace {

using internal::Descriptor;
using internal::ErrnoStatus;
using internal::PosixRandomAccessFile;
using internal::PosixWritableFile;

namespace {

int OpenFlags(WriteMode mode) {
  switch (mode) {
    case WriteMode::kTruncate:
      return O_WRONLY | O_CREAT | O_TRUNC;
    case WriteMode::kAppend:
      return O_WRONLY | O_CREAT | O_APPEND;
    case WriteMode::kCreateNew:
      return O_WRONLY | O_CREAT | O_EXCL;
  }
  return 0;
}

FileInfo ToFileInfo(std::string_view name, const struct stat& info) {
  return {.name = std::string(name),
          .size_bytes = info.st_size,
          .modified_ms = int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000,
          .is_dir = S_ISDIR(info.st_mode)};
}

absl::Status FromErrorCode(const std::error_code& error, std::string_view operation,
                           std::string_view path) {
  if (!error) return absl::OkStatus();
  errno = error.value();
  return ErrnoStatus(operation, path);
}

// The new directory is in place; what the old one leaves behind, under a name that nobody reads, is
// no reason to have it replaced again.
void DropReplaced(FileSystem& fs, const std::string& path) {
  const absl::Status status = fs.DeleteRecursively(path);
  LOG_IF(WARNING, !status.ok()) << "a directory that was replaced stays on the disk: " << status;
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<RandomAccessFile>> LocalFileSystem::OpenForRead(
    const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus("open", path);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("open", path);
  if (S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    return ErrnoStatus("open", path);
  }
  return std::make_unique<PosixRandomAccessFile>(path, std::move(fd),
                                                 static_cast<uint64_t>(info.st_size));
}

absl::StatusOr<std::unique_ptr<WritableFile>> LocalFileSystem::OpenForWrite(const std::string& path,
                                                                            WriteMode mode) {
  Descriptor fd(::open(path.c_str(), OpenFlags(mode) | O_CLOEXEC, 0666));
  if (!fd.valid()) return ErrnoStatus("open for writing", path);
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("open for writing", path);
  return std::make_unique<PosixWritableFile>(path, std::move(fd),
                                             static_cast<uint64_t>(info.st_size));
}

absl::Status LocalFileSystem::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return ErrnoStatus(absl::StrCat("rename '", from, "' to"), to);
}

absl::Status LocalFileSystem::RenameToNew(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return absl::OkStatus();
  }
  const std::string operation = absl::StrCat("rename '", from, "' to");
  if (errno != EINVAL && errno != ENOSYS) return ErrnoStatus(operation, to);
  // Where the file system knows no such renaming, as one of a network.
  if (::link(from.c_str(), to.c_str()) != 0) return ErrnoStatus(operation, to);
  return Delete(from);
}

absl::Status LocalFileSystem::ReplaceDir(const std::string& from, const std::string& to) {
  const absl::StatusOr<FileInfo> existing = Stat(to);
  if (absl::IsNotFound(existing.status())) return Rename(from, to);
  RETURN_IF_ERROR(existing.status());
  if (!existing->is_dir) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot replace '", to, "': it is no directory"));
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    DropReplaced(*this, from);
    return absl::OkStatus();
  }
  if (errno != EINVAL && errno != ENOSYS) {
    return ErrnoStatus(absl::StrCat("rename '", from, "' to"), to);
  }
  const std::string aside =
      JoinPath(DirName(to), absl::StrCat(".", std::string(BaseName(to)), ".replaced"));
  RETURN_IF_ERROR(DeleteRecursively(aside));
  RETURN_IF_ERROR(Rename(to, aside));
  RETURN_IF_ERROR(Rename(from, to));
  DropReplaced(*this, aside);
  return absl::OkStatus();
}

absl::Status LocalFileSystem::Delete(const std::string& path) {
  if (::remove(path.c_str()) == 0) return absl::OkStatus();
  return ErrnoStatus("delete", path);
}

absl::Status LocalFileSystem::DeleteRecursively(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return FromErrorCode(error, "delete", path);
}

absl::Status LocalFileSystem::CreateDirs(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return FromErrorCode(error, "make directory", path);
}

absl::StatusOr<std::vector<FileInfo>> LocalFileSystem::List(const std::string& dir) {
  const std::unique_ptr<DIR, CloseDir> handle(::opendir(dir.c_str()));
  if (handle == nullptr) return ErrnoStatus("list", dir);
  std::vector<FileInfo> files;
  while (true) {
    errno = 0;
    const dirent* const entry = ::readdir(handle.get());
    if (entry == nullptr) {
      if (errno != 0) return ErrnoStatus("list", dir);
      break;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat info;
    // A link that leads nowhere is as good as vanished.
    if (::fstatat(::dirfd(handle.get()), entry->d_name, &info, 0) != 0) {
      if (errno == ENOENT) continue;
      return ErrnoStatus("look at", JoinPath(dir, name));
    }
    files.push_back(ToFileInfo(name, info));
  }
  std::sort(files.begin(), files.end(),
            [](const FileInfo& a, const FileInfo& b) { return a.name < b.name; });
  return files;
}

absl::StatusOr<FileInfo> LocalFileSystem::Stat(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return ErrnoStatus("look at", path);
  return ToFileInfo(BaseName(path), info);
}

absl::Status LocalFileSystem::SyncDir(const std::string& dir) {
  const Descriptor fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus("open", dir);
  if (::fsync(fd.get()) != 0) return ErrnoStatus("sync", dir);
  return absl::OkStatus();
}

}  // namespace millrace
