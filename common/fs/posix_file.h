// Open files of the operating system.
#ifndef MILLRACE_COMMON_FS_POSIX_FILE_H_
#define MILLRACE_COMMON_FS_POSIX_FILE_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/fs/file_system.h"

namespace millrace::internal {

// "cannot <operation> '<path>': <the reason in errno>", with the code that fits.
absl::Status ErrnoStatus(std::string_view operation, std::string_view path);

// A file descriptor that is closed when the object goes.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // 0, or -1 and errno.
  int Close();

 private:
  int fd_;
};

class PosixRandomAccessFile : public RandomAccessFile {
 public:
  PosixRandomAccessFile(std::string path, Descriptor fd, uint64_t size_bytes)
      : path_(std::move(path)), fd_(std::move(fd)), size_bytes_(size_bytes) {}

  const std::string& path() const override { return path_; }
  uint64_t size_bytes() const override { return size_bytes_; }
  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* out, size_t size) const override;
  absl::StatusOr<Buffer> Map(uint64_t offset, size_t size) const override;

 private:
  const std::string path_;
  const Descriptor fd_;
  const uint64_t size_bytes_;
};

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(std::string path, Descriptor fd, uint64_t size_bytes)
      : path_(std::move(path)), fd_(std::move(fd)), size_bytes_(size_bytes) {}
  ~PosixWritableFile() override;

  const std::string& path() const override { return path_; }
  uint64_t size_bytes() const override { return size_bytes_; }
  absl::Status Append(std::string_view bytes) override;
  absl::Status Flush() override;
  absl::Status Sync() override;
  absl::Status Close() override;

 private:
  absl::Status Write(std::string_view bytes);
  absl::Status Fail(std::string_view operation);

  const std::string path_;
  Descriptor fd_;
  uint64_t size_bytes_;
  std::string unwritten_;  // Fewer than kGatherBytes between calls.
  absl::Status failed_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_FS_POSIX_FILE_H_
