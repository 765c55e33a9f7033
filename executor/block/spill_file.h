// One file of spilled data: its bytes, checked on the way in and out.
//
//   | magic u32 "MRSP" | version u16 | flags u16 | chunk_count u32 |
//   | size u64 | checksum u64 |  ... once for each chunk
//   | checksum u64 |  of everything before it
//   | chunk | chunk | ...
//
// Integers are little-endian, checksums XXH3. The chunks end where the file does.
#ifndef MILLRACE_EXECUTOR_BLOCK_SPILL_FILE_H_
#define MILLRACE_EXECUTOR_BLOCK_SPILL_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fs/file_system.h"
#include "common/memory/buffer.h"

namespace millrace::internal {

inline constexpr uint32_t kSpillMagic = 0x5053524d;  // "MRSP"
inline constexpr uint16_t kSpillVersion = 1;

// Hands the file to the operating system; it is not meant to survive the machine.
absl::Status WriteSpillFile(FileSystem& fs, const std::string& path,
                            const std::vector<Buffer>& chunks);

// Errors name the file. DataLoss: it is not what was written.
class SpillFile {
 public:
  static absl::StatusOr<SpillFile> Open(FileSystem& fs, const std::string& path);

  size_t chunk_count() const { return chunks_.size(); }
  absl::StatusOr<Buffer> ReadChunk(size_t index) const;

 private:
  struct Chunk {
    uint64_t offset = 0;
    uint64_t size = 0;
    uint64_t checksum = 0;
  };

  explicit SpillFile(std::unique_ptr<RandomAccessFile> file) : file_(std::move(file)) {}
  absl::Status ReadTable();
  absl::Status Corrupt(const std::string& problem) const;

  std::unique_ptr<RandomAccessFile> file_;
  std::vector<Chunk> chunks_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_BLOCK_SPILL_FILE_H_
