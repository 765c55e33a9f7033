// A log that goes on for ever on a disk that does not.
#ifndef MILLRACE_COMMON_FS_ROTATING_FILE_H_
#define MILLRACE_COMMON_FS_ROTATING_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/fs/file_system.h"

namespace millrace {

// Text that is appended goes to `path`; when that would grow over `bytes_max` it becomes
// `path`.1, what was that becomes `path`.2, and so on: there are never more than `files_max` files.
//
// After an error the next Append tries again, on a line of its own: what was torn is not mended.
// Threads: one at a time.
class RotatingFile {
 public:
  struct Options {
    std::string path;
    int64_t bytes_max = int64_t{64} << 20;
    int files_max = 4;      // At least 1: with 1 the only file begins anew.
    std::string head = "";  // Every file begins with it.
  };

  RotatingFile(FileSystem& fs, Options options) : fs_(fs), options_(std::move(options)) {}

  // Whole lines, handed to the operating system. Makes the directory and the file when needed.
  absl::Status Append(std::string_view lines);

  const std::string& path() const { return options_.path; }

 private:
  absl::Status Open();
  absl::Status Write(std::string_view text);
  absl::Status Rotate();
  std::string OlderPath(int age) const;

  FileSystem& fs_;
  const Options options_;
  std::unique_ptr<WritableFile> file_;  // Null: to be opened.
  bool may_be_torn_ = false;            // The file may end within a line.
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_FS_ROTATING_FILE_H_
