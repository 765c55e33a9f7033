// Files in memory, with the faults that disks have.
#ifndef MILLRACE_TESTS_SUPPORT_MEMORY_FILE_SYSTEM_H_
#define MILLRACE_TESTS_SUPPORT_MEMORY_FILE_SYSTEM_H_

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/fs/path.h"

namespace millrace {

enum class FileOp {
  kOpenForRead,
  kRead,
  kOpenForWrite,
  kAppend,
  kSync,
  kRename,
  kDelete,
  kMakeDir,
  kList,
  kStat
};

// Works as LocalFileSystem does (one suite of tests holds for both), with the root directory made.
// All files are in this header, so that the unit tests of any folder may use it without linking
// more. Threads: any number at a time.
class MemoryFileSystem : public FileSystem {
 public:
  // Called before every operation; an error that it returns is the operation's.
  using Fault = std::function<absl::Status(FileOp op, const std::string& path)>;
  void SetFault(Fault fault) {
    absl::MutexLock lock(&mutex_);
    fault_ = std::move(fault);
  }
  // A disk of this size: an append beyond it writes what still fits and fails.
  void SetCapacity(uint64_t bytes) {
    absl::MutexLock lock(&mutex_);
    capacity_bytes_ = bytes;
  }
  uint64_t used_bytes() const {
    absl::MutexLock lock(&mutex_);
    return UsedBytes();
  }
  // The modification time of what is written from now on.
  void SetNowMs(int64_t now_ms) {
    absl::MutexLock lock(&mutex_);
    now_ms_ = now_ms;
  }
  // The power fails: every file is what it was at its last Sync, with the first `kept` of the bytes
  // that came behind it. Names stay as they are.
  using Kept = absl::FunctionRef<size_t(const std::string& path, size_t bytes)>;
  void LoseUnsynced(Kept kept = [](const std::string&, size_t) { return size_t{0}; }) {
    absl::MutexLock lock(&mutex_);
    for (auto& [path, entry] : entries_) {
      const size_t unsynced = entry->bytes.size() - entry->synced_bytes;
      if (unsynced > 0) entry->bytes.resize(entry->synced_bytes + kept(path, unsynced));
    }
  }
  // A byte of a file is no longer what was written.
  void FlipBits(const std::string& path, size_t offset, char bits) {
    absl::MutexLock lock(&mutex_);
    char& byte = entries_.at(Normal(path))->bytes.at(offset);
    byte = static_cast<char>(byte ^ bits);
  }
  // All there is, in order: for checks that nothing was left behind.
  std::vector<std::string> AllPaths() const {
    absl::MutexLock lock(&mutex_);
    std::vector<std::string> paths;
    for (const auto& [path, entry] : entries_) {
      if (path != "/") paths.push_back(path);
    }
    return paths;
  }

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

 private:
  struct Entry {
    bool is_dir = false;
    std::string bytes;
    size_t synced_bytes = 0;
    int64_t modified_ms = 0;
  };
  using EntryRef = std::shared_ptr<Entry>;  // Open files outlive their names.

  static EntryRef MakeEntry(bool is_dir, int64_t modified_ms) {
    auto entry = std::make_shared<Entry>();
    entry->is_dir = is_dir;
    entry->modified_ms = modified_ms;
    return entry;
  }

  class ReadFile;
  class WriteFile;

  static absl::Status Error(absl::StatusCode code, absl::string_view operation,
                            const std::string& path, absl::string_view reason) {
    return absl::Status(code, absl::StrCat("cannot ", operation, " '", path, "': ", reason));
  }
  static absl::Status Missing(absl::string_view operation, const std::string& path) {
    return Error(absl::StatusCode::kNotFound, operation, path, "No such file or directory");
  }
  // "/a//b/" and "./a/b" and "a/b" are one.
  static std::string Normal(const std::string& path) {
    std::string normal;
    size_t start = 0;
    while (start < path.size()) {
      const size_t end = std::min(path.find('/', start), path.size());
      const std::string part = path.substr(start, end - start);
      if (!part.empty() && part != ".") normal += "/" + part;
      start = end + 1;
    }
    return normal.empty() ? "/" : normal;
  }

  absl::Status Check(FileOp op, const std::string& path) const ABSL_LOCKS_EXCLUDED(mutex_) {
    Fault fault;
    {
      absl::MutexLock lock(&mutex_);
      fault = fault_;
    }
    return fault ? fault(op, path) : absl::OkStatus();
  }
  EntryRef Find(const std::string& normal) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto found = entries_.find(normal);
    return found == entries_.end() ? nullptr : found->second;
  }
  // The directory that `normal` is in exists.
  absl::Status CheckParent(absl::string_view operation, const std::string& normal) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const EntryRef parent = Find(std::string(DirName(normal)));
    if (parent == nullptr) return Missing(operation, normal);
    if (parent->is_dir) return absl::OkStatus();
    return Error(absl::StatusCode::kFailedPrecondition, operation, normal, "Not a directory");
  }
  bool HasChildren(const std::string& normal) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto child = entries_.upper_bound(normal == "/" ? "/" : normal + "/");
    return child != entries_.end() && child->first.starts_with(normal == "/" ? "/" : normal + "/");
  }
  void EraseTree(const std::string& normal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::erase_if(entries_, [&normal](const auto& entry) {
      return entry.first == normal || entry.first.starts_with(normal + "/");
    });
  }
  void MoveTree(const std::string& from, const std::string& to)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::map<std::string, EntryRef> moved;
    for (const auto& [path, entry] : entries_) {
      if (path == from || path.starts_with(from + "/")) {
        moved.emplace(to + path.substr(from.size()), entry);
      }
    }
    EraseTree(from);
    entries_.merge(moved);
  }
  FileInfo InfoOf(const std::string& normal, const Entry& entry) const {
    return {.name = std::string(BaseName(normal)),
            .size_bytes = entry.is_dir ? 0 : static_cast<int64_t>(entry.bytes.size()),
            .modified_ms = entry.modified_ms,
            .is_dir = entry.is_dir};
  }
  uint64_t UsedBytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    uint64_t used = 0;
    for (const auto& [path, entry] : entries_) used += entry->bytes.size();
    return used;
  }

  mutable absl::Mutex mutex_;
  std::map<std::string, EntryRef> entries_ ABSL_GUARDED_BY(mutex_) = {{"/", MakeEntry(true, 0)}};
  Fault fault_ ABSL_GUARDED_BY(mutex_);
  uint64_t capacity_bytes_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<uint64_t>::max();
  int64_t now_ms_ ABSL_GUARDED_BY(mutex_) = 0;
};

class MemoryFileSystem::ReadFile : public RandomAccessFile {
 public:
  ReadFile(MemoryFileSystem& fs, std::string path, EntryRef entry, uint64_t size_bytes)
      : fs_(fs), path_(std::move(path)), entry_(std::move(entry)), size_bytes_(size_bytes) {}

  const std::string& path() const override { return path_; }
  uint64_t size_bytes() const override { return size_bytes_; }
  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* out, size_t size) const override {
    RETURN_IF_ERROR(fs_.Check(FileOp::kRead, path_));
    absl::MutexLock lock(&fs_.mutex_);
    const std::string& bytes = entry_->bytes;
    return offset < bytes.size() ? bytes.copy(out, size, offset) : 0;
  }

 private:
  MemoryFileSystem& fs_;
  const std::string path_;
  const EntryRef entry_;
  const uint64_t size_bytes_;
};

class MemoryFileSystem::WriteFile : public WritableFile {
 public:
  WriteFile(MemoryFileSystem& fs, std::string path, EntryRef entry, uint64_t size_bytes)
      : fs_(fs), path_(std::move(path)), entry_(std::move(entry)), size_bytes_(size_bytes) {}

  const std::string& path() const override { return path_; }
  uint64_t size_bytes() const override { return size_bytes_; }
  absl::Status Append(std::string_view bytes) override {
    RETURN_IF_ERROR(failed_);
    RETURN_IF_ERROR(failed_ = fs_.Check(FileOp::kAppend, path_));
    absl::MutexLock lock(&fs_.mutex_);
    const uint64_t used = fs_.UsedBytes();
    const uint64_t room = fs_.capacity_bytes_ - std::min(fs_.capacity_bytes_, used);
    const std::string_view fits = bytes.substr(0, std::min<uint64_t>(bytes.size(), room));
    entry_->bytes.append(fits);
    entry_->modified_ms = fs_.now_ms_;
    size_bytes_ += fits.size();
    if (fits.size() < bytes.size()) {
      failed_ =
          Error(absl::StatusCode::kResourceExhausted, "write", path_, "No space left on device");
    }
    return failed_;
  }
  absl::Status Flush() override { return failed_; }
  absl::Status Sync() override {
    RETURN_IF_ERROR(failed_);
    RETURN_IF_ERROR(failed_ = fs_.Check(FileOp::kSync, path_));
    absl::MutexLock lock(&fs_.mutex_);
    entry_->synced_bytes = entry_->bytes.size();
    return absl::OkStatus();
  }
  absl::Status Close() override { return failed_; }

 private:
  MemoryFileSystem& fs_;
  const std::string path_;
  const EntryRef entry_;
  uint64_t size_bytes_;
  absl::Status failed_;
};

inline absl::StatusOr<std::unique_ptr<RandomAccessFile>> MemoryFileSystem::OpenForRead(
    const std::string& path) {
  RETURN_IF_ERROR(Check(FileOp::kOpenForRead, path));
  absl::MutexLock lock(&mutex_);
  const EntryRef entry = Find(Normal(path));
  if (entry == nullptr) return Missing("open", path);
  if (entry->is_dir) {
    return Error(absl::StatusCode::kFailedPrecondition, "open", path, "Is a directory");
  }
  return std::make_unique<ReadFile>(*this, path, entry, entry->bytes.size());
}

inline absl::StatusOr<std::unique_ptr<WritableFile>> MemoryFileSystem::OpenForWrite(
    const std::string& path, WriteMode mode) {
  constexpr absl::string_view kOperation = "open for writing";
  RETURN_IF_ERROR(Check(FileOp::kOpenForWrite, path));
  absl::MutexLock lock(&mutex_);
  const std::string normal = Normal(path);
  RETURN_IF_ERROR(CheckParent(kOperation, normal));
  EntryRef entry = Find(normal);
  if (entry == nullptr) {
    entry = entries_[normal] = MakeEntry(false, now_ms_);
  } else if (mode == WriteMode::kCreateNew) {
    return Error(absl::StatusCode::kAlreadyExists, kOperation, path, "File exists");
  } else if (entry->is_dir) {
    return Error(absl::StatusCode::kFailedPrecondition, kOperation, path, "Is a directory");
  } else if (mode == WriteMode::kTruncate) {
    entry->bytes.clear();
    entry->synced_bytes = 0;
    entry->modified_ms = now_ms_;
  }
  return std::make_unique<WriteFile>(*this, path, entry, entry->bytes.size());
}

inline absl::Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(Check(FileOp::kRename, from));
  absl::MutexLock lock(&mutex_);
  const std::string normal_from = Normal(from);
  const std::string normal_to = Normal(to);
  const std::string operation = absl::StrCat("rename '", from, "' to");
  const EntryRef source = Find(normal_from);
  if (source == nullptr) return Missing(operation, to);
  RETURN_IF_ERROR(CheckParent(operation, normal_to));
  if (const EntryRef target = Find(normal_to)) {
    if (target->is_dir != source->is_dir || HasChildren(normal_to)) {
      return Error(absl::StatusCode::kFailedPrecondition, operation, to,
                   target->is_dir ? "Directory not empty" : "Not a directory");
    }
  }
  if (normal_from == normal_to) return absl::OkStatus();
  EraseTree(normal_to);
  MoveTree(normal_from, normal_to);
  return absl::OkStatus();
}

inline absl::Status MemoryFileSystem::RenameToNew(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(Check(FileOp::kRename, from));
  absl::MutexLock lock(&mutex_);
  const std::string operation = absl::StrCat("rename '", from, "' to");
  if (Find(Normal(from)) == nullptr) return Missing(operation, to);
  RETURN_IF_ERROR(CheckParent(operation, Normal(to)));
  if (Find(Normal(to)) != nullptr) {
    return Error(absl::StatusCode::kAlreadyExists, operation, to, "File exists");
  }
  MoveTree(Normal(from), Normal(to));
  return absl::OkStatus();
}

inline absl::Status MemoryFileSystem::ReplaceDir(const std::string& from, const std::string& to) {
  const absl::StatusOr<FileInfo> existing = Stat(to);
  if (absl::IsNotFound(existing.status())) return Rename(from, to);
  RETURN_IF_ERROR(existing.status());
  if (!existing->is_dir) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot replace '", to, "': it is no directory"));
  }
  RETURN_IF_ERROR(Check(FileOp::kRename, from));
  absl::MutexLock lock(&mutex_);
  if (Find(Normal(from)) == nullptr) return Missing(absl::StrCat("rename '", from, "' to"), to);
  EraseTree(Normal(to));
  MoveTree(Normal(from), Normal(to));
  return absl::OkStatus();
}

inline absl::Status MemoryFileSystem::Delete(const std::string& path) {
  RETURN_IF_ERROR(Check(FileOp::kDelete, path));
  absl::MutexLock lock(&mutex_);
  const std::string normal = Normal(path);
  if (Find(normal) == nullptr) return Missing("delete", path);
  if (HasChildren(normal)) {
    return Error(absl::StatusCode::kFailedPrecondition, "delete", path, "Directory not empty");
  }
  entries_.erase(normal);
  return absl::OkStatus();
}

inline absl::Status MemoryFileSystem::DeleteRecursively(const std::string& path) {
  RETURN_IF_ERROR(Check(FileOp::kDelete, path));
  absl::MutexLock lock(&mutex_);
  EraseTree(Normal(path));
  return absl::OkStatus();
}

inline absl::Status MemoryFileSystem::CreateDirs(const std::string& path) {
  RETURN_IF_ERROR(Check(FileOp::kMakeDir, path));
  absl::MutexLock lock(&mutex_);
  const std::string normal = Normal(path);
  for (size_t slash = 1; slash != std::string::npos && normal != "/";) {
    slash = normal.find('/', slash);
    EntryRef& entry = entries_[normal.substr(0, slash)];
    if (entry == nullptr) {
      entry = MakeEntry(true, now_ms_);
    } else if (!entry->is_dir) {
      return Error(absl::StatusCode::kFailedPrecondition, "make directory", path,
                   "Not a directory");
    }
    if (slash != std::string::npos) ++slash;
  }
  return absl::OkStatus();
}

inline absl::StatusOr<std::vector<FileInfo>> MemoryFileSystem::List(const std::string& dir) {
  RETURN_IF_ERROR(Check(FileOp::kList, dir));
  absl::MutexLock lock(&mutex_);
  const std::string normal = Normal(dir);
  const EntryRef entry = Find(normal);
  if (entry == nullptr) return Missing("list", dir);
  if (!entry->is_dir) {
    return Error(absl::StatusCode::kFailedPrecondition, "list", dir, "Not a directory");
  }
  std::vector<FileInfo> files;
  for (const auto& [path, child] : entries_) {
    if (path != "/" && DirName(path) == normal) files.push_back(InfoOf(path, *child));
  }
  return files;
}

inline absl::StatusOr<FileInfo> MemoryFileSystem::Stat(const std::string& path) {
  RETURN_IF_ERROR(Check(FileOp::kStat, path));
  absl::MutexLock lock(&mutex_);
  const std::string normal = Normal(path);
  const EntryRef entry = Find(normal);
  if (entry == nullptr) return Missing("look at", path);
  return InfoOf(normal, *entry);
}

inline absl::Status MemoryFileSystem::SyncDir(const std::string& dir) {
  RETURN_IF_ERROR(Check(FileOp::kSync, dir));
  absl::MutexLock lock(&mutex_);
  return Find(Normal(dir)) == nullptr ? Missing("open", dir) : absl::OkStatus();
}

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_MEMORY_FILE_SYSTEM_H_
