// Where a worker puts data that its memory does not hold.
#ifndef MILLRACE_EXECUTOR_BLOCK_SPILL_DIR_H_
#define MILLRACE_EXECUTOR_BLOCK_SPILL_DIR_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/memory/buffer.h"

namespace millrace {
class FileSystem;
}

namespace millrace::internal {

// A directory of spill files (format: README.md), shared by the stores of one worker. The files
// mean nothing to any other process; they go with this object.
//
// Threads: any; all methods but Discard may wait for the disk.
class SpillDir {
 public:
  // `path` is made when the first file is written. Nobody else writes there.
  SpillDir(FileSystem& fs, std::string path);
  ~SpillDir();
  SpillDir(const SpillDir&) = delete;
  SpillDir& operator=(const SpillDir&) = delete;

  // Writes a file that holds `chunks`, and returns its path. On an error no file is left behind.
  // `name` helps people; the path is unique whatever it is.
  absl::StatusOr<std::string> Write(std::string_view name, const std::vector<Buffer>& chunks);

  // Both check what they read. DataLoss names the file and what is wrong in it.
  absl::StatusOr<std::vector<Buffer>> ReadAll(const std::string& path) const;
  absl::StatusOr<Buffer> ReadChunk(const std::string& path, size_t index) const;

  // The file is not needed any more; RemoveDiscarded deletes it. Never waits.
  void Discard(std::string path);
  bool has_discarded() const;
  void RemoveDiscarded();

 private:
  FileSystem& fs_;
  const std::string path_;

  mutable absl::Mutex mutex_;
  bool made_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_file_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> discarded_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_BLOCK_SPILL_DIR_H_
