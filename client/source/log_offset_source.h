// The driver's view of a partitioned log (common/partition_log).
#ifndef MILLRACE_CLIENT_SOURCE_LOG_OFFSET_SOURCE_H_
#define MILLRACE_CLIENT_SOURCE_LOG_OFFSET_SOURCE_H_

#include <millrace/log_stream.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "client/source/offset_source.h"
#include "common/fs/file_system.h"
#include "common/partition_log/log_format.h"

namespace millrace::internal {

// Counts the records of the log's files by their heads, each file from where the last call ended;
// a file that ends there is not opened. A partition that appears after Start begins at its
// first record.
class LogOffsetSource final : public OffsetSource {
 public:
  // `fs` outlives the source. Timeouts are of the clock `nanos`, which never goes back.
  LogOffsetSource(FileSystem* fs, std::string directory, LogStreamOptions options,
                  int64_t (*nanos)());

  absl::Status Start(std::chrono::milliseconds timeout) override;
  absl::StatusOr<std::vector<PartitionOffsets>> Latest(std::chrono::milliseconds timeout) override;
  SourcePartition Locate(const OffsetRange& range) override;

 private:
  struct Partition {
    std::string path;
    int64_t start = 0;
    // Of the first record that has not been counted.
    LogPlace end;
    bool is_counted = false;  // All that there was at the last look.
    // Places on the way, about every kIndexBytes, so that tasks need not begin at the front. None
    // but the first is at or before what has been located last.
    std::deque<LogPlace> index{LogPlace()};
  };

  // Partitions that are new, whose `start` is the first record or what the options say.
  absl::StatusOr<std::map<int, FileInfo>> List();
  absl::Status CountAll(const std::map<int, FileInfo>& files, std::chrono::milliseconds timeout);
  absl::Status Count(Partition& partition, const FileInfo& file, int64_t deadline_nanos);
  absl::Status CountOn(Partition& partition, const RandomAccessFile& file, int64_t deadline_nanos);

  FileSystem* const fs_;
  const std::string directory_;
  const LogStreamOptions options_;
  int64_t (*const nanos_)();
  std::map<int, Partition> partitions_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_SOURCE_LOG_OFFSET_SOURCE_H_
