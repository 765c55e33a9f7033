#include "tests/bench/plain/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace millrace::bench {

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  const absl::Cleanup close = [fd] { ::close(fd); };
  struct stat status;
  if (::fstat(fd, &status) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot stat ", path));
  if (status.st_size == 0) return absl::InvalidArgumentError(absl::StrCat(path, " is empty"));
  const auto size = static_cast<size_t>(status.st_size);
  // Filled in ahead: a fault for every page would cost the plain program more than the reading.
  void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (mapped == MAP_FAILED) return absl::ErrnoToStatus(errno, absl::StrCat("cannot map ", path));
  return MappedFile(std::string_view(static_cast<const char*>(mapped), size));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

absl::Status ReadFile(const std::string& path, size_t piece_bytes,
                      absl::FunctionRef<void(std::string_view)> take) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  const absl::Cleanup close = [fd] { ::close(fd); };
  const std::unique_ptr<char[]> piece(new char[piece_bytes]);
  while (true) {
    const ssize_t size = ::read(fd, piece.get(), piece_bytes);
    if (size == 0) return absl::OkStatus();
    if (size > 0) {
      take(std::string_view(piece.get(), static_cast<size_t>(size)));
    } else if (errno != EINTR) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
    }
  }
}

absl::StatusOr<std::string> FileWrittenOnce(
    const std::string& directory, const std::string& name,
    absl::FunctionRef<absl::Status(const std::string& path)> write) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::InternalError(absl::StrCat("cannot make ", directory, ": ", error.message()));
  }
  const std::string path = absl::StrCat(directory, "/", name);
  struct stat found;
  if (::stat(path.c_str(), &found) == 0) return path;
  // Two programs may write it at once: each its own file, and the last rename wins.
  const std::string unfinished = absl::StrCat(path, ".", ::getpid());
  if (absl::Status written = write(unfinished); !written.ok()) return written;
  if (::rename(unfinished.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot rename ", unfinished, " to ", path));
  }
  return path;
}

}  // namespace millrace::bench
