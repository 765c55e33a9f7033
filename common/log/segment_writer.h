// Writing one segment of a write-ahead log.
#ifndef MILLRACE_COMMON_LOG_SEGMENT_WRITER_H_
#define MILLRACE_COMMON_LOG_SEGMENT_WRITER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fs/file_system.h"
#include "common/log/segment_format.h"

namespace millrace::internal {

// Threads: one at a time.
class SegmentWriter {
 public:
  // In a directory that is there. AlreadyExists: somebody else has written this segment.
  static absl::StatusOr<SegmentWriter> Create(FileSystem& fs, const std::string& directory,
                                              int64_t segment);

  // InvalidArgument: it is larger than 1 GiB. An error of the disk sticks.
  absl::StatusOr<SegmentPlace> Append(const LogPayload& payload);
  // What was appended is on the disk then.
  absl::Status Sync();
  // Nothing more will be appended: what was is told apart from a cut end for good. On the disk.
  absl::Status Finish();

  const std::string& path() const { return file_->path(); }
  // Some record is on the disk.
  bool has_durable_records() const { return durable_bytes_ > kSegmentHeadBytes; }

 private:
  SegmentWriter(std::unique_ptr<WritableFile> file, int64_t segment)
      : file_(std::move(file)), segment_(segment) {}

  std::unique_ptr<WritableFile> file_;
  int64_t segment_;
  uint64_t durable_bytes_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_LOG_SEGMENT_WRITER_H_
