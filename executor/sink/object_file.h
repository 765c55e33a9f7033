// Files of encoded records, as SaveAsObjectFiles writes them.
//
//   | magic u32 "MROB" | version u16 | flags u16 |
//   | size u32 | record_count u32 | checksum u64 | records |  ... any number of these frames
//
// Integers are little-endian; the checksum is XXH3 of the frame's records, which are encoded
// (common/record/codec.h) one after the other. A file ends with a frame.
#ifndef MILLRACE_EXECUTOR_SINK_OBJECT_FILE_H_
#define MILLRACE_EXECUTOR_SINK_OBJECT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/memory/buffer.h"

namespace millrace {

class RandomAccessFile;

namespace internal {

inline constexpr uint32_t kObjectFileMagic = 0x424f524d;  // "MROB"
inline constexpr uint16_t kObjectFileVersion = 1;
// What a writer puts into one frame, unless a single record is larger.
inline constexpr size_t kObjectFrameBytes = size_t{256} << 10;

std::string ObjectFileHead();
// The bytes that go before a frame's records.
std::string ObjectFrameHead(std::string_view records, uint32_t record_count);

// Reads frame after frame. Errors name the file and the offset.
class ObjectFileReader {
 public:
  // `file` outlives the reader.
  explicit ObjectFileReader(const RandomAccessFile& file) : file_(file) {}

  struct Frame {
    Buffer records;
    uint32_t record_count = 0;
  };
  // False: the file has ended; `frame` is as before. DataLoss: the file is not what was written.
  absl::StatusOr<bool> Next(Frame& frame);

 private:
  absl::Status CheckHead();
  absl::Status Corrupt(std::string_view problem) const;

  const RandomAccessFile& file_;
  uint64_t offset_ = 0;
};

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_EXECUTOR_SINK_OBJECT_FILE_H_
