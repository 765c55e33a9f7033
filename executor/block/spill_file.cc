#include "executor/block/spill_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/record/encoder.h"
#include "common/record/stable_hash.h"

namespace millrace::internal {

namespace {

constexpr size_t kHeadBytes = 12;
constexpr size_t kTableEntryBytes = 16;
constexpr size_t kChecksumBytes = 8;
static_assert(kHeadBytes ==
              sizeof kSpillMagic + sizeof kSpillVersion + sizeof(uint16_t) + sizeof(uint32_t));

}  // namespace

absl::Status WriteSpillFile(FileSystem& fs, const std::string& path,
                            const std::vector<Buffer>& chunks) {
  Encoder table;
  table.PutFixed(kSpillMagic);
  table.PutFixed(kSpillVersion);
  table.PutFixed(uint16_t{0});
  table.PutFixed(static_cast<uint32_t>(chunks.size()));
  for (const Buffer& chunk : chunks) {
    table.PutFixed(uint64_t{chunk.size()});
    table.PutFixed(StableHashBytes(chunk.view()));
  }
  table.PutFixed(StableHashBytes(table.view()));

  ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file,
                   fs.OpenForWrite(path, WriteMode::kTruncate));
  RETURN_IF_ERROR(file->Append(table.view()));
  for (const Buffer& chunk : chunks) RETURN_IF_ERROR(file->Append(chunk.view()));
  return file->Close();
}

absl::StatusOr<SpillFile> SpillFile::Open(FileSystem& fs, const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> opened, fs.OpenForRead(path));
  SpillFile file(std::move(opened));
  RETURN_IF_ERROR(file.ReadTable());
  return file;
}

absl::Status SpillFile::Corrupt(const std::string& problem) const {
  return absl::DataLossError(absl::StrCat("spill file ", file_->path(), ": ", problem));
}

absl::Status SpillFile::ReadTable() {
  const uint64_t file_bytes = file_->size_bytes();
  if (file_bytes < kHeadBytes + kChecksumBytes) {
    return Corrupt(absl::StrCat("has only ", file_bytes, " bytes"));
  }
  ASSIGN_OR_RETURN(const Buffer head, file_->Read(0, kHeadBytes));
  Decoder head_decoder(head.view());
  if (head_decoder.GetFixed<uint32_t>() != kSpillMagic) return Corrupt("does not begin with MRSP");
  const auto version = head_decoder.GetFixed<uint16_t>();
  if (version != kSpillVersion) return Corrupt(absl::StrCat("has version ", version));
  head_decoder.GetFixed<uint16_t>();
  const auto chunk_count = head_decoder.GetFixed<uint32_t>();
  if (chunk_count > (file_bytes - kHeadBytes - kChecksumBytes) / kTableEntryBytes) {
    return Corrupt(absl::StrCat("is too short for a table of ", chunk_count, " chunks"));
  }

  const size_t table_bytes = kHeadBytes + chunk_count * kTableEntryBytes;
  ASSIGN_OR_RETURN(const Buffer table, file_->Read(0, table_bytes + kChecksumBytes));
  const std::string_view checked = table.view().substr(0, table_bytes);
  Decoder checksum(table.view().substr(table_bytes));
  if (checksum.GetFixed<uint64_t>() != StableHashBytes(checked)) {
    return Corrupt("the checksum of its table does not match");
  }

  Decoder entries(checked.substr(kHeadBytes));
  chunks_.resize(chunk_count);
  uint64_t offset = table_bytes + kChecksumBytes;
  for (Chunk& chunk : chunks_) {
    chunk.offset = offset;
    chunk.size = entries.GetFixed<uint64_t>();
    chunk.checksum = entries.GetFixed<uint64_t>();
    if (chunk.size > file_bytes - offset) return Corrupt("ends within a chunk");
    offset += chunk.size;
  }
  return offset == file_bytes ? absl::OkStatus() : Corrupt("goes on after its last chunk");
}

absl::StatusOr<Buffer> SpillFile::ReadChunk(size_t index) const {
  if (index >= chunks_.size()) {
    return Corrupt(absl::StrCat("has no chunk ", index, " of ", chunks_.size()));
  }
  const Chunk& chunk = chunks_[index];
  if (chunk.size == 0) return Buffer();
  // Mapped: what did not fit into memory is not taken into it again. Only this process writes here.
  ASSIGN_OR_RETURN(Buffer bytes, file_->Map(chunk.offset, chunk.size));
  if (StableHashBytes(bytes.view()) != chunk.checksum) {
    return Corrupt(absl::StrCat("the checksum of chunk ", index, " at offset ", chunk.offset,
                                " does not match"));
  }
  return bytes;
}

}  // namespace millrace::internal
