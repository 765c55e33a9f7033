// Files of saved state: each holds one partition as it was after some batch, or what of it changed
// since it was saved last.
//
//   | magic u32 "MRST" | version u16 | flags u16 | time_ms i64 | since_ms i64 | partition u32 |
//   | checksum u64 of the head |
//   | size u32 | record_count u32 | checksum u64 | records |  ... any number of these frames
//   | 0 u32 | frame_count u32 | checksum u64 |                the end
//
// Integers are little-endian. `time_ms` is the batch that the partition is saved as of. `since_ms`
// -1: all keys are here; else those that changed since it was saved as of then, or before then.
// A record is | 1 u8 | key | state | or, of a key that was removed, | 0 u8 | key |, encoded as
// common/record/codec.h says; a key stands in a file once. Behind the state of MapWithState comes
// the age of the key's last record, a varint: 0 where nobody asks, else 1 and the milliseconds from
// then to `time_ms`. A frame's checksum is XXH3 of its records, seeded with the eight bytes before
// it.
#ifndef MILLRACE_EXECUTOR_STATE_STATE_FILE_H_
#define MILLRACE_EXECUTOR_STATE_STATE_FILE_H_

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

inline constexpr uint32_t kStateFileMagic = 0x5453524d;  // "MRST"
inline constexpr uint16_t kStateFileVersion = 1;

inline constexpr uint8_t kKeyRemoved = 0;
inline constexpr uint8_t kKeyHasState = 1;

struct StateFileHead {
  int64_t time_ms = -1;
  int64_t since_ms = -1;
  uint32_t partition = 0;

  bool has_all_keys() const { return since_ms < 0; }
};

std::string EncodeStateFileHead(const StateFileHead& head);
// What goes before the records of a frame.
std::string StateFrameHead(std::string_view records, uint32_t record_count);
std::string StateFileEnd(uint32_t frame_count);

// Reads the head, then frame after frame. Errors name the file and the offset. DataLoss: the file
// is not what was written; Unimplemented: another release wrote it.
class StateFileReader {
 public:
  // `file` outlives the reader.
  explicit StateFileReader(const RandomAccessFile& file) : file_(file) {}

  absl::StatusOr<StateFileHead> ReadHead();

  struct Frame {
    Buffer records;
    uint32_t record_count = 0;
    uint64_t offset = 0;  // Of the records.
  };
  // Behind ReadHead. False: the file has ended, as it should; `frame` is as before.
  absl::StatusOr<bool> Next(Frame& frame);

 private:
  absl::Status Corrupt(std::string_view problem) const;
  absl::Status CheckEnd(uint32_t frame_count) const;

  const RandomAccessFile& file_;
  uint64_t offset_ = 0;
  uint32_t frames_ = 0;
};

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_EXECUTOR_STATE_STATE_FILE_H_
