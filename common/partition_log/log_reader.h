// Reading one partition of a log.
#ifndef MILLRACE_COMMON_PARTITION_LOG_LOG_READER_H_
#define MILLRACE_COMMON_PARTITION_LOG_LOG_READER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fs/file_system.h"
#include "common/memory/buffer.h"
#include "common/partition_log/log_format.h"

namespace millrace::internal {

// Record after record, each checked. What is not yet there ends the log for now; errors, DataLoss,
// name the file, the offset and the byte.
//
// Sees the file as long as it was when it was opened. Threads: one.
class LogReader {
 public:
  // Called with each block of bytes before records of it are returned. A record is valid for as
  // long as a Buffer of its block is held.
  using OnBlock = std::function<void(Buffer)>;

  // `file` outlives the reader. `begin`: a place of this file that a reader has told.
  explicit LogReader(const RandomAccessFile& file, LogPlace begin = LogPlace(),
                     OnBlock on_block = nullptr)
      : file_(file), place_(begin), on_block_(std::move(on_block)) {}

  // The next record's place: the end, once Next has returned nothing.
  const LogPlace& place() const { return place_; }

  // The record at `place`, valid until the next call at least; nothing when it is not yet there.
  absl::StatusOr<std::optional<std::string_view>> Next();
  // Passes over the record at `place` without a look at its payload, unless that ends the file.
  // False: it is not yet there.
  absl::StatusOr<bool> Skip();

 private:
  // Of the record at `place`, all of which lies in the file.
  absl::StatusOr<std::optional<LogRecordHead>> Head();
  // False: not yet there.
  absl::StatusOr<bool> CheckFileHead();
  absl::StatusOr<bool> OnlyZerosFrom(uint64_t position) const;
  // The bytes from `place` on: fewer only where the file ends.
  absl::StatusOr<std::string_view> Window(size_t bytes);
  absl::Status Load(size_t bytes);
  void Pass(const LogRecordHead& head);
  absl::Status Corrupt(std::string_view problem) const;

  const RandomAccessFile& file_;
  LogPlace place_;
  const OnBlock on_block_;
  bool file_head_checked_ = false;
  Slab slab_;  // Bytes [loaded_from_, loaded_from_ + loaded_bytes_) of the file.
  uint64_t loaded_from_ = 0;
  size_t loaded_bytes_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_PARTITION_LOG_LOG_READER_H_
