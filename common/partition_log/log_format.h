// The bytes of a partitioned log; they are drawn in the README.
#ifndef MILLRACE_COMMON_PARTITION_LOG_LOG_FORMAT_H_
#define MILLRACE_COMMON_PARTITION_LOG_LOG_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace millrace::internal {

inline constexpr uint32_t kLogMagic = 0x474c504d;  // "MPLG"
inline constexpr uint16_t kLogVersion = 1;
inline constexpr size_t kLogHeadBytes = 8;
inline constexpr size_t kLogRecordHeadBytes = 16;
// A reader must have a record in memory as a whole.
inline constexpr size_t kLogRecordBytesMax = size_t{64} << 20;

// A record of a partition, and where in the file it begins. The first record by default.
struct LogPlace {
  int64_t offset = 0;
  uint64_t position = kLogHeadBytes;

  friend bool operator==(const LogPlace&, const LogPlace&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(offset, position);
  }
};

struct LogRecordHead {
  uint32_t size = 0;
  uint64_t checksum = 0;
};

// "partition-00007.log"
std::string LogFileName(int partition);
// The partition whose file has that name, if it is one.
std::optional<int> PartitionOfLogFile(std::string_view file_name);

std::string EncodeLogHead();
bool IsLogHead(std::string_view bytes);

std::string EncodeLogRecordHead(int64_t offset, std::string_view record);
// Of kLogRecordHeadBytes; nothing when they are not the head of the record at `offset`.
std::optional<LogRecordHead> DecodeLogRecordHead(std::string_view bytes, int64_t offset);

// DataLoss that names the file, the offset and the byte.
absl::Status CorruptLog(const std::string& path, const LogPlace& place, std::string_view problem);

// XXH3 with 64 bits: what stands on disk does not depend on how keys are hashed.
uint64_t LogChecksum(std::string_view bytes);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_PARTITION_LOG_LOG_FORMAT_H_
