// The bytes of a write-ahead log's segments. The format stands in README.md.
#ifndef MILLRACE_COMMON_LOG_SEGMENT_FORMAT_H_
#define MILLRACE_COMMON_LOG_SEGMENT_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/memory/buffer.h"

namespace millrace::internal {

constexpr size_t kSegmentHeadBytes = 24;
constexpr size_t kSegmentRecordHeadBytes = 32;
constexpr uint64_t kSegmentPayloadBytesMax = uint64_t{1} << 30;

// A record's payload, in pieces.
using LogPayload = std::vector<Buffer>;

// Where a record is; `size_bytes` with its head.
struct SegmentPlace {
  int64_t segment = 0;
  int64_t offset = 0;
  int64_t size_bytes = 0;

  friend bool operator==(const SegmentPlace&, const SegmentPlace&) = default;
};

struct SegmentRecordHead {
  uint32_t payload_bytes = 0;
  uint64_t durable_bytes = 0;  // So much of the file was on the disk when the record was written.
  uint64_t checksum = 0;       // Of the payload.
};

// "log-00000017"
std::string SegmentName(int64_t segment);
// The segment's number; none where the name is not a segment's.
std::optional<int64_t> SegmentOfName(std::string_view file_name);

std::string EncodeSegmentHead(int64_t segment);
std::string EncodeSegmentRecordHead(uint64_t offset, const SegmentRecordHead& head);
// None: no head was written there. `bytes` are kSegmentRecordHeadBytes.
std::optional<SegmentRecordHead> DecodeSegmentRecordHead(uint64_t offset, std::string_view bytes);
// With which a record's head begins.
std::string_view SegmentRecordMagic();

uint64_t SegmentChecksum(const LogPayload& payload);

// DataLoss that names the file and the offset.
absl::Status CorruptSegment(const std::string& path, uint64_t offset, std::string_view problem);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_LOG_SEGMENT_FORMAT_H_
