#include "executor/block/spill_dir.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/fs/path.h"
#include "executor/block/spill_file.h"

namespace millrace::internal {

namespace {

std::string FileName(uint64_t number, std::string_view name) {
  std::string file_name = absl::StrCat(number, "-");
  for (const char c : name) {
    file_name.push_back(absl::ascii_isalnum(static_cast<unsigned char>(c)) ? c : '-');
  }
  return file_name;
}

}  // namespace

SpillDir::SpillDir(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

SpillDir::~SpillDir() {
  absl::MutexLock lock(&mutex_);
  // Whatever cannot be deleted now is found by whoever owns the directory above.
  if (made_) fs_.DeleteRecursively(path_).IgnoreError();
}

absl::StatusOr<std::string> SpillDir::Write(std::string_view name,
                                            const std::vector<Buffer>& chunks) {
  bool made = false;
  uint64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    number = ++last_file_;
    made = made_;
  }
  if (!made) {
    RETURN_IF_ERROR(fs_.CreateDirs(path_));
    absl::MutexLock lock(&mutex_);
    made_ = true;
  }
  RemoveDiscarded();
  const std::string path = JoinPath(path_, FileName(number, name));
  const absl::Status written = WriteSpillFile(fs_, path, chunks);
  if (written.ok()) return path;
  fs_.Delete(path).IgnoreError();
  return written;
}

absl::StatusOr<std::vector<Buffer>> SpillDir::ReadAll(const std::string& path) const {
  ASSIGN_OR_RETURN(const SpillFile file, SpillFile::Open(fs_, path));
  std::vector<Buffer> chunks;
  chunks.reserve(file.chunk_count());
  for (size_t i = 0; i < file.chunk_count(); ++i) {
    ASSIGN_OR_RETURN(Buffer chunk, file.ReadChunk(i));
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

absl::StatusOr<Buffer> SpillDir::ReadChunk(const std::string& path, size_t index) const {
  ASSIGN_OR_RETURN(const SpillFile file, SpillFile::Open(fs_, path));
  return file.ReadChunk(index);
}

void SpillDir::Discard(std::string path) {
  absl::MutexLock lock(&mutex_);
  discarded_.push_back(std::move(path));
}

bool SpillDir::has_discarded() const {
  absl::MutexLock lock(&mutex_);
  return !discarded_.empty();
}

void SpillDir::RemoveDiscarded() {
  std::vector<std::string> discarded;
  {
    absl::MutexLock lock(&mutex_);
    discarded.swap(discarded_);
  }
  // A file that stays is no loss: the directory goes as a whole in the end.
  for (const std::string& path : discarded) fs_.Delete(path).IgnoreError();
}

}  // namespace millrace::internal
