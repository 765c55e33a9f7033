#include "common/fs/posix_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace millrace::internal {

namespace {

// A write of this size or more saves little by being gathered.
constexpr size_t kGatherBytes = 64 << 10;

}  // namespace

absl::Status ErrnoStatus(std::string_view operation, std::string_view path) {
  const int error = errno;
  return absl::ErrnoToStatus(
      error, absl::StrCat("cannot ", absl::string_view(operation.data(), operation.size()), " '",
                          absl::string_view(path.data(), path.size()), "'"));
}

Descriptor::~Descriptor() { Close(); }

int Descriptor::Close() {
  // Linux has closed the descriptor even when this is interrupted.
  return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1));
}

absl::StatusOr<size_t> PosixRandomAccessFile::ReadAt(uint64_t offset, char* out,
                                                     size_t size) const {
  size_t done = 0;
  while (done < size) {
    const ssize_t read =
        ::pread(fd_.get(), out + done, size - done, static_cast<off_t>(offset + done));
    if (read == 0) break;
    if (read > 0) {
      done += static_cast<size_t>(read);
    } else if (errno != EINTR) {
      return ErrnoStatus("read", path_);
    }
  }
  return done;
}

absl::StatusOr<Buffer> PosixRandomAccessFile::Map(uint64_t offset, size_t size) const {
  RETURN_IF_ERROR(CheckRange(offset, size));
  if (size == 0) return Buffer();
  // Mappings begin at a page.
  const uint64_t start = offset - offset % static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const size_t length = size + (offset - start);
  void* const mapped =
      ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd_.get(), static_cast<off_t>(start));
  if (mapped == MAP_FAILED) return ErrnoStatus("map", path_);
  std::shared_ptr<const void> owner(mapped, [length](void* address) { ::munmap(address, length); });
  return Buffer(std::string_view(static_cast<const char*>(mapped) + (offset - start), size),
                std::move(owner));
}

PosixWritableFile::~PosixWritableFile() {
  if (fd_.valid()) Close().IgnoreError();
}

absl::Status PosixWritableFile::Fail(std::string_view operation) {
  return failed_ = ErrnoStatus(operation, path_);
}

absl::Status PosixWritableFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      return Fail("write");
    }
  }
  return absl::OkStatus();
}

absl::Status PosixWritableFile::Append(std::string_view bytes) {
  RETURN_IF_ERROR(failed_);
  if (unwritten_.size() + bytes.size() < kGatherBytes) {
    unwritten_.append(bytes);
  } else {
    RETURN_IF_ERROR(Flush());
    if (bytes.size() < kGatherBytes) {
      unwritten_.append(bytes);
    } else {
      RETURN_IF_ERROR(Write(bytes));
    }
  }
  size_bytes_ += bytes.size();
  return absl::OkStatus();
}

absl::Status PosixWritableFile::Flush() {
  RETURN_IF_ERROR(failed_);
  RETURN_IF_ERROR(Write(unwritten_));
  unwritten_.clear();
  return absl::OkStatus();
}

absl::Status PosixWritableFile::Sync() {
  RETURN_IF_ERROR(Flush());
  if (::fdatasync(fd_.get()) != 0) return Fail("sync");
  return absl::OkStatus();
}

absl::Status PosixWritableFile::Close() {
  const absl::Status flushed = Flush();
  const int closed = fd_.Close();
  RETURN_IF_ERROR(flushed);
  if (closed != 0) return Fail("close");
  return absl::OkStatus();
}

}  // namespace millrace::internal
