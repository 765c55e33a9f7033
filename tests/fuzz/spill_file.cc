// A file of spilled blocks, as a disk may give it back.
#include "executor/block/spill_file.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/record/encoder.h"
#include "common/record/stable_hash.h"
#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

constexpr char kPath[] = "/spill";

std::string BytesOf(FileSystem& fs) {
  const auto file = *fs.OpenForRead(kPath);
  return std::string(file->Read(0, file->size_bytes())->view());
}

std::string FileOf(const std::vector<std::string>& chunks) {
  MemoryFileSystem fs;
  std::vector<Buffer> buffers;
  for (const std::string& chunk : chunks) buffers.emplace_back(chunk);
  CHECK(WriteSpillFile(fs, kPath, buffers).ok());
  return BytesOf(fs);
}

// All that can be read is the file's own bytes, and no two chunks share any.
bool ReadFile(std::string_view bytes) {
  MemoryFileSystem fs;
  CHECK((*fs.OpenForWrite(kPath, WriteMode::kTruncate))->Append(bytes).ok());
  const auto file = SpillFile::Open(fs, kPath);
  if (!file.ok()) return false;
  size_t read_bytes = 0;
  bool is_whole = true;
  for (size_t i = 0; i < file->chunk_count(); ++i) {
    const auto chunk = file->ReadChunk(i);
    is_whole = is_whole && chunk.ok();
    if (chunk.ok()) read_bytes += chunk->size();
  }
  CHECK(!file->ReadChunk(file->chunk_count()).ok());
  CHECK_LE(read_bytes, bytes.size());
  return is_whole;
}

// A table that is what its checksum says, about chunks that need not be.
//   | chunk count u8 | sizes u32 each | the chunks' bytes |
std::string Framed(FuzzBytes& input) {
  const uint8_t count = input.TakeByte();
  Encoder table;
  table.PutFixed(kSpillMagic);
  table.PutFixed(kSpillVersion);
  table.PutFixed(uint16_t{0});
  table.PutFixed(uint32_t{count});
  std::vector<uint64_t> sizes;
  for (int i = 0; i < count; ++i) {
    const uint32_t size = input.TakeU32();
    // The largest are near the end of the numbers, where sums overflow.
    sizes.push_back(size > UINT32_MAX / 2 ? UINT64_MAX - (UINT32_MAX - size) : size);
  }
  const std::string_view chunks = input.Rest();
  uint64_t offset = 0;
  for (const uint64_t size : sizes) {
    table.PutFixed(size);
    table.PutFixed(StableHashBytes(chunks.substr(std::min<uint64_t>(offset, chunks.size()), size)));
    offset += size;
  }
  table.PutFixed(StableHashBytes(table.view()));
  return table.ToString() + std::string(chunks);
}

// The first byte: 0, a file as it is; else chunks in a frame.
bool Run(std::string_view bytes) {
  FuzzBytes input(bytes);
  if (input.TakeByte() == 0) return ReadFile(input.Rest());
  return ReadFile(Framed(input));
}

FuzzSeeds Seeds() {
  return {{"file", FuzzWriter().PutByte(0).Put(FileOf({"first", "", "third"})).Take()},
          {"empty", FuzzWriter().PutByte(0).Put(FileOf({})).Take()},
          {"chunks", FuzzWriter().PutByte(1).PutByte(2).PutU32(3).PutU32(4).Put("abcdefg").Take()}};
}

const FuzzTarget target("spill_file", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
