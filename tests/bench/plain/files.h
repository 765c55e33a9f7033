// The two ways in which a plain program gets at a file's bytes.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_FILES_H_
#define MILLRACE_TESTS_BENCH_PLAIN_FILES_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace::bench {

class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  std::string_view bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::string_view bytes) : bytes_(bytes) {}

  std::string_view bytes_;
};

// Reads the file with read(2), `piece_bytes` at a time into one buffer.
absl::Status ReadFile(const std::string& path, size_t piece_bytes,
                      absl::FunctionRef<void(std::string_view)> take);

// The path of the file `name` in `directory`; `write(path)` writes it if it is not there.
absl::StatusOr<std::string> FileWrittenOnce(
    const std::string& directory, const std::string& name,
    absl::FunctionRef<absl::Status(const std::string& path)> write);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_FILES_H_
