// Reading the segments of a write-ahead log.
#ifndef MILLRACE_COMMON_LOG_SEGMENT_READER_H_
#define MILLRACE_COMMON_LOG_SEGMENT_READER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fs/file_system.h"
#include "common/log/segment_format.h"
#include "common/memory/buffer.h"

namespace millrace::internal {

// Record after record of one segment, each checked, up to its end or to where its last write was
// cut short. A record that is not whole is such an end if nothing behind it says that it had been
// on the disk; else it is corrupt.
//
// Sees the file as long as it was when it was opened. Threads: one.
class SegmentReader {
 public:
  // `file` outlives the reader.
  SegmentReader(const RandomAccessFile& file, int64_t segment) : file_(file), segment_(segment) {}

  struct Record {
    SegmentPlace place;
    Buffer payload;
  };
  // Nothing: the end. DataLoss: corrupt; names the file and the offset.
  absl::StatusOr<std::optional<Record>> Next();

 private:
  // False: it was never written.
  absl::StatusOr<bool> CheckFileHead();
  // None: there is no whole record at `offset`.
  absl::StatusOr<std::optional<Record>> ReadAt(uint64_t offset);
  // Of what comes behind `offset`: a record whose writer knew that the file was on the disk beyond
  // `offset`.
  absl::StatusOr<bool> WasDurable(uint64_t offset);

  const RandomAccessFile& file_;
  const int64_t segment_;
  uint64_t next_ = 0;  // 0: the file's head has not been checked.
};

// The payload of one record. NotFound: there is no such file. DataLoss: it is not there.
absl::StatusOr<Buffer> ReadLogRecord(FileSystem& fs, const std::string& directory,
                                     const SegmentPlace& place);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_LOG_SEGMENT_READER_H_
