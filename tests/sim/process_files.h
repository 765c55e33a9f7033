// The files of a shared directory as one process sees them.
#ifndef MILLRACE_TESTS_SIM_PROCESS_FILES_H_
#define MILLRACE_TESTS_SIM_PROCESS_FILES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/fs/file_system.h"
#include "tests/sim/disk.h"

namespace millrace::sim {

// Nothing that the process does after its end reaches the files. It may end between any two
// changes of files, also where its code does not wait.
//
// Threads: whoever has the turn.
class ProcessFiles final : public FileSystem {
 public:
  // Both outlive it. Null: a disk that is always as it should be.
  explicit ProcessFiles(FileSystem& files, Disk* disk = nullptr) : files_(files), disk_(disk) {}

  void End() { has_ended_ = true; }
  // It ends before the change behind so many others; `on_end` is told at once.
  void EndAfter(int64_t changes, std::function<void()> on_end) {
    changes_left_ = changes;
    on_end_ = std::move(on_end);
  }
  bool has_changed_any() const { return !written_.empty(); }
  // It has opened the file for writing.
  bool HasWritten(const std::string& path) const { return written_.contains(path); }
  // It does not, unless it has.
  void StayAlive() { changes_left_ = kEndless; }

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
  class File;
  static constexpr int64_t kEndless = -1;

  absl::Status BeforeLook() const;
  absl::Status BeforeChange();

  FileSystem& files_;
  Disk* const disk_;
  bool has_ended_ = false;
  int64_t changes_left_ = kEndless;
  std::function<void()> on_end_;
  std::set<std::string> written_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_PROCESS_FILES_H_
