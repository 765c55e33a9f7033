// Writing one partition of a log.
#ifndef MILLRACE_COMMON_PARTITION_LOG_LOG_WRITER_H_
#define MILLRACE_COMMON_PARTITION_LOG_LOG_WRITER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fs/file_system.h"

namespace millrace {

// Appends records to one partition of a partitioned log, a directory of files that LogStream reads.
// One writer a partition at a time; partitions may be added at any time.
//
//   ASSIGN_OR_RETURN(millrace::LogWriter writer, millrace::LogWriter::Open("/data/clicks", 0));
//   ASSIGN_OR_RETURN(const int64_t offset, writer.Append("a record"));
//
// An append that fails may or may not have taken place; the writer refuses all that come after it
// with the same error. Open the partition again: next_offset() tells.
// Threads: one at a time.
class LogWriter {
 public:
  // Makes the directory and the partition's file where there are none; else goes on behind the last
  // whole record. DataLoss: the file is corrupt, which the error names and nothing is written to.
  static absl::StatusOr<LogWriter> Open(const std::string& directory, int partition);
  static absl::StatusOr<LogWriter> Open(FileSystem& fs, const std::string& directory,
                                        int partition);

  // The record's offset; it is on the disk then. InvalidArgument: above 64 MiB.
  absl::StatusOr<int64_t> Append(std::string_view record);
  // The first record's offset. As fast as one Append, and faster than many; after an error, any
  // number of them, in order, may be there.
  absl::StatusOr<int64_t> AppendAll(std::span<const std::string> records);

  // Of the next record.
  int64_t next_offset() const { return next_offset_; }
  const std::string& path() const { return file_->path(); }

 private:
  LogWriter(std::unique_ptr<WritableFile> file, int64_t next_offset)
      : file_(std::move(file)), next_offset_(next_offset) {}

  absl::Status Write(std::string_view record, int64_t offset);
  absl::StatusOr<int64_t> Commit(const absl::Status& written, int64_t record_count);

  std::unique_ptr<WritableFile> file_;  // Its first error sticks.
  int64_t next_offset_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_PARTITION_LOG_LOG_WRITER_H_
