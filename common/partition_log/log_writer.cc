#include "common/partition_log/log_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/local_file_system.h"
#include "common/fs/path.h"
#include "common/partition_log/log_format.h"
#include "common/partition_log/log_reader.h"

namespace millrace {
namespace {

using internal::EncodeLogHead;
using internal::kLogHeadBytes;
using internal::LogPlace;
using internal::LogReader;

constexpr size_t kCopyBytes = size_t{1} << 20;

absl::StatusOr<LogPlace> FindEnd(const RandomAccessFile& file) {
  LogReader reader(file);
  for (;;) {
    ASSIGN_OR_RETURN(const bool passed, reader.Skip());
    if (!passed) return reader.place();
  }
}

absl::Status CopyFront(const RandomAccessFile& from, uint64_t size, WritableFile& to) {
  for (uint64_t done = 0; done < size;) {
    const size_t bytes = std::min<uint64_t>(kCopyBytes, size - done);
    ASSIGN_OR_RETURN(const Buffer piece, from.Read(done, bytes));
    RETURN_IF_ERROR(to.Append(piece.view()));
    done += bytes;
  }
  return absl::OkStatus();
}

// Puts a file with the first `size` bytes of `old` at its place, or a new one without records. It
// has its name only once it is whole.
absl::Status Replace(FileSystem& fs, const std::string& path, const RandomAccessFile* old,
                     uint64_t size) {
  const std::string temporary = path + ".tmp";
  ASSIGN_OR_RETURN(const auto file, fs.OpenForWrite(temporary, WriteMode::kTruncate));
  if (old != nullptr && size > kLogHeadBytes) {
    RETURN_IF_ERROR(CopyFront(*old, size, *file));
  } else {
    RETURN_IF_ERROR(file->Append(EncodeLogHead()));
  }
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(file->Close());
  RETURN_IF_ERROR(fs.Rename(temporary, path));
  return fs.SyncDir(std::string(DirName(path)));
}

// Leaves a file of whole records; where the next one goes.
absl::StatusOr<LogPlace> Prepare(FileSystem& fs, const std::string& path) {
  const auto file = fs.OpenForRead(path);
  if (absl::IsNotFound(file.status())) {
    RETURN_IF_ERROR(Replace(fs, path, nullptr, 0));
    return LogPlace();
  }
  RETURN_IF_ERROR(file.status());
  ASSIGN_OR_RETURN(const LogPlace end, FindEnd(**file));
  // Where there is no record, the file's own head may be unfinished.
  if ((*file)->size_bytes() != end.position || end.offset == 0) {
    RETURN_IF_ERROR(Replace(fs, path, file->get(), end.position));
  }
  return end;
}

absl::Status CheckSize(const std::string& path, std::string_view record) {
  if (record.size() <= internal::kLogRecordBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", path, "': a record of ", record.size(),
                                                 " bytes; the limit is ",
                                                 internal::kLogRecordBytesMax));
}

absl::Status MakeDirectory(FileSystem& fs, const std::string& directory) {
  ASSIGN_OR_RETURN(const bool exists, fs.Exists(directory));
  if (exists) return absl::OkStatus();
  RETURN_IF_ERROR(fs.CreateDirs(directory));
  return fs.SyncDir(std::string(DirName(directory)));
}

}  // namespace

absl::StatusOr<LogWriter> LogWriter::Open(const std::string& directory, int partition) {
  static LocalFileSystem& fs = *new LocalFileSystem;
  return Open(fs, directory, partition);
}

absl::StatusOr<LogWriter> LogWriter::Open(FileSystem& fs, const std::string& directory,
                                          int partition) {
  if (partition < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("partition ", partition, " of '", directory, "': it must not be negative"));
  }
  RETURN_IF_ERROR(MakeDirectory(fs, directory));
  const std::string path = JoinPath(directory, internal::LogFileName(partition));
  ASSIGN_OR_RETURN(const LogPlace end, Prepare(fs, path));
  ASSIGN_OR_RETURN(auto file, fs.OpenForWrite(path, WriteMode::kAppend));
  if (file->size_bytes() != end.position) {
    return absl::FailedPreconditionError(
        absl::StrCat("'", path, "' grows while it is opened: another writer has it open"));
  }
  return LogWriter(std::move(file), end.offset);
}

absl::Status LogWriter::Write(std::string_view record, int64_t offset) {
  RETURN_IF_ERROR(file_->Append(internal::EncodeLogRecordHead(offset, record)));
  return file_->Append(record);
}

absl::StatusOr<int64_t> LogWriter::Commit(const absl::Status& written, int64_t record_count) {
  RETURN_IF_ERROR(written);
  RETURN_IF_ERROR(file_->Sync());
  const int64_t first = next_offset_;
  next_offset_ += record_count;
  return first;
}

absl::StatusOr<int64_t> LogWriter::Append(std::string_view record) {
  RETURN_IF_ERROR(CheckSize(path(), record));
  return Commit(Write(record, next_offset_), 1);
}

absl::StatusOr<int64_t> LogWriter::AppendAll(std::span<const std::string> records) {
  for (const std::string& record : records) RETURN_IF_ERROR(CheckSize(path(), record));
  absl::Status written;
  int64_t offset = next_offset_;
  for (size_t i = 0; i < records.size() && written.ok(); ++i) written = Write(records[i], offset++);
  return Commit(written, static_cast<int64_t>(records.size()));
}

}  // namespace millrace
