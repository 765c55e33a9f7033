// Output of a batch that a reader sees whole or not at all.
#ifndef MILLRACE_COMMON_FS_ATOMIC_OUTPUT_H_
#define MILLRACE_COMMON_FS_ATOMIC_OUTPUT_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fs/file_system.h"

namespace millrace {

enum class IfOutputExists { kFail, kReplace };

// A directory of part files. It is filled under a hidden name beside its final one, then gets
// `_SUCCESS` and its name in one step. The driver makes and publishes it; tasks, on any worker that
// sees the same files, write their parts into `staging_path()`.
//
// Threads: one at a time.
class AtomicOutput {
 public:
  // `attempt` tells writers of one directory apart (the driver's epoch, say): it must be a name
  // that no other live writer uses, and may be that of one that died.
  AtomicOutput(FileSystem& fs, std::string path, std::string_view attempt);

  const std::string& path() const { return path_; }
  const std::string& staging_path() const { return staging_path_; }

  // Makes the staging directory, and the directories above it. AlreadyExists, with kFail: there is
  // something at `path`.
  absl::Status Begin(IfOutputExists if_exists);
  // Drops what failed tasks left behind, adds `_SUCCESS` and gives the directory its name, all of
  // which is on the disk afterwards. May be repeated after an error.
  absl::Status Publish(IfOutputExists if_exists);
  // Removes the staging directory.
  absl::Status Abandon();

 private:
  FileSystem& fs_;
  const std::string path_;
  const std::string staging_path_;
};

// "part-00000"
std::string PartFileName(int partition);

// One part, which has its name only once it is complete, so that two attempts of a task, even at
// the same time, leave one whole file.
class PartFile {
 public:
  // `attempt` tells the attempts of the task apart.
  static absl::StatusOr<PartFile> Create(FileSystem& fs, const std::string& dir, int partition,
                                         std::string_view attempt);
  PartFile(PartFile&&) = default;
  PartFile& operator=(PartFile&&) = delete;
  ~PartFile();  // Removes the file unless it was committed.

  absl::Status Append(std::string_view bytes) { return file_->Append(bytes); }
  // The file is on the disk, under its name.
  absl::Status Commit();

 private:
  PartFile(FileSystem& fs, std::unique_ptr<WritableFile> file, std::string final_path)
      : fs_(&fs), file_(std::move(file)), final_path_(std::move(final_path)) {}

  FileSystem* fs_;
  std::unique_ptr<WritableFile> file_;  // Null once committed.
  std::string final_path_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_FS_ATOMIC_OUTPUT_H_
