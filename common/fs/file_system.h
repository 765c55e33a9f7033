// Files, as everything of ours sees them: blocks that are spilled, logs, checkpoints, output.
#ifndef MILLRACE_COMMON_FS_FILE_SYSTEM_H_
#define MILLRACE_COMMON_FS_FILE_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/memory/buffer.h"

namespace millrace {

// An open file of a fixed size: what it was when the file was opened.
// Threads: any number at a time.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;

  virtual const std::string& path() const = 0;
  virtual uint64_t size_bytes() const = 0;

  // Reads up to `size` bytes at `offset` into `out`; fewer only when the file ends there.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, char* out, size_t size) const = 0;

  // Exactly these bytes. DataLoss: the file is too short, whatever its writer said.
  virtual absl::StatusOr<Buffer> Read(uint64_t offset, size_t size) const;

  // The same without copying where the file system can map files. For files that only we write:
  // if one is cut short while it is mapped, reading the Buffer kills the process.
  virtual absl::StatusOr<Buffer> Map(uint64_t offset, size_t size) const;

 protected:
  // Refuses a range that is not all within the file; to be called before memory is taken for it.
  absl::Status CheckRange(uint64_t offset, size_t size) const;
};

// A file that is written from its beginning, or on from its end. Small appends are gathered.
// An error sticks: what was written after the last successful Sync may or may not be there.
// Threads: one at a time.
class WritableFile {
 public:
  virtual ~WritableFile() = default;  // Closes; errors are not seen.

  virtual const std::string& path() const = 0;
  // Position of the next append.
  virtual uint64_t size_bytes() const = 0;

  virtual absl::Status Append(std::string_view bytes) = 0;
  // Hands everything to the operating system: it survives this process.
  virtual absl::Status Flush() = 0;
  // Flushes and waits until it is on the disk: it survives the machine (the file's name may need
  // a SyncDir of its directory).
  virtual absl::Status Sync() = 0;
  // Flushes and closes. Nothing else may be called after it.
  virtual absl::Status Close() = 0;
};

struct FileInfo {
  std::string name;  // Without its directory.
  int64_t size_bytes = 0;
  int64_t modified_ms = 0;
  bool is_dir = false;

  friend bool operator==(const FileInfo&, const FileInfo&) = default;
};

enum class WriteMode {
  kTruncate,   // A new file, or an existing one emptied.
  kAppend,     // A new file, or an existing one from its end on.
  kCreateNew,  // AlreadyExists when there is one.
};

// Errors name the operation, the path and the reason: NotFound, AlreadyExists, PermissionDenied,
// ResourceExhausted (disk full, too many open files), FailedPrecondition (a directory where a file
// should be, or the other way round; not empty), else Unknown.
//
// Threads: any number at a time.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForRead(
      const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWrite(const std::string& path,
                                                                     WriteMode mode) = 0;

  // Atomic. Replaces an existing file; a directory replaces only an empty one.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // A file. Atomic; of several who want the name one gets it. AlreadyExists: it is taken.
  virtual absl::Status RenameToNew(const std::string& from, const std::string& to) = 0;
  // Directory `from` takes the place and name of `to`, which, if there was one, is deleted. A
  // reader sees the old directory or the new one; where the file system cannot exchange two
  // directories, for a moment neither.
  virtual absl::Status ReplaceDir(const std::string& from, const std::string& to) = 0;

  // A file or an empty directory.
  virtual absl::Status Delete(const std::string& path) = 0;
  // OK when there is nothing.
  virtual absl::Status DeleteRecursively(const std::string& path) = 0;
  // With all directories above it; OK when it is there.
  virtual absl::Status CreateDirs(const std::string& path) = 0;

  // In the order of names. Files that vanish meanwhile are left out.
  virtual absl::StatusOr<std::vector<FileInfo>> List(const std::string& dir) = 0;
  virtual absl::StatusOr<FileInfo> Stat(const std::string& path) = 0;
  absl::StatusOr<bool> Exists(const std::string& path);

  // Waits until the names in `dir` (files made, renamed and deleted there) are on the disk.
  virtual absl::Status SyncDir(const std::string& dir) = 0;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_FS_FILE_SYSTEM_H_
