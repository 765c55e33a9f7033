#include "common/log/block_log.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"
#include "common/log/segment_reader.h"
#include "common/record/encoder.h"

namespace millrace::internal {
namespace {

absl::Status NoBlock() { return absl::DataLossError("a record that is no received block"); }

// What a writer that was killed had handed to the operating system can be read, and may be gone
// when the machine goes down: nobody may rely on it before.
absl::Status SyncSegment(FileSystem& fs, const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file,
                   fs.OpenForWrite(path, WriteMode::kAppend));
  RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

absl::Status ListSegment(FileSystem& fs, const std::string& directory, int64_t segment,
                         std::map<int64_t, proto::StoredBlock>& blocks) {
  const std::string path = JoinPath(directory, SegmentName(segment));
  RETURN_IF_ERROR(SyncSegment(fs, path));
  ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file, fs.OpenForRead(path));
  SegmentReader reader(*file, segment);
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<SegmentReader::Record> record, reader.Next());
    if (!record.has_value()) return absl::OkStatus();
    absl::StatusOr<LoggedBlock> logged = DecodeLoggedBlock(record->payload);
    if (!logged.ok()) {
      return CorruptSegment(path, static_cast<uint64_t>(record->place.offset),
                            std::string(logged.status().message()));
    }
    proto::StoredBlock& block = logged->block;
    proto::LogPlace& place = *block.mutable_id()->mutable_place();
    place.set_directory(directory);
    place.set_segment(record->place.segment);
    place.set_offset(record->place.offset);
    place.set_size_bytes(record->place.size_bytes);
    const int64_t sequence = block.id().sequence();
    blocks[sequence] = std::move(block);
  }
}

}  // namespace

LogPayload EncodeLoggedBlock(const proto::StoredBlock& block, const std::vector<Buffer>& buffers) {
  const std::string message = block.SerializeAsString();
  Encoder head;
  head.PutVarint(message.size());
  head.PutBytes(message);
  head.PutVarint(buffers.size());
  for (const Buffer& buffer : buffers) head.PutVarint(buffer.size());
  LogPayload payload;
  payload.reserve(1 + buffers.size());
  payload.push_back(head.TakeBuffer());
  payload.insert(payload.end(), buffers.begin(), buffers.end());
  return payload;
}

absl::StatusOr<LoggedBlock> DecodeLoggedBlock(const Buffer& payload) {
  Decoder decoder(payload.view());
  const std::string_view message = decoder.GetBytes(decoder.GetVarint());
  LoggedBlock logged;
  if (decoder.failed() ||
      !logged.block.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return NoBlock();
  }
  const uint64_t count = decoder.GetVarint();
  if (count > decoder.remaining()) return NoBlock();
  std::vector<uint64_t> sizes;
  sizes.reserve(count);
  for (uint64_t i = 0; i < count; ++i) sizes.push_back(decoder.GetVarint());
  size_t offset = payload.size() - decoder.remaining();
  for (const uint64_t size : sizes) {
    if (decoder.GetBytes(size).size() != size) return NoBlock();
    logged.buffers.push_back(payload.Slice(offset, size));
    offset += size;
  }
  if (decoder.failed() || !decoder.done()) return NoBlock();
  return logged;
}

absl::StatusOr<std::vector<Buffer>> ReadLoggedBlock(FileSystem& fs, const proto::BlockId& id) {
  const proto::LogPlace& place = id.place();
  ASSIGN_OR_RETURN(
      const Buffer payload,
      ReadLogRecord(fs, place.directory(), {place.segment(), place.offset(), place.size_bytes()}));
  absl::StatusOr<LoggedBlock> logged = DecodeLoggedBlock(payload);
  if (logged.ok() && logged->block.id().sequence() == id.sequence()) {
    return std::move(logged->buffers);
  }
  return CorruptSegment(JoinPath(place.directory(), SegmentName(place.segment())),
                        static_cast<uint64_t>(place.offset()),
                        logged.ok() ? "this is another block" : "this is no received block");
}

absl::StatusOr<std::vector<int64_t>> ListSegments(FileSystem& fs, const std::string& directory) {
  std::vector<int64_t> segments;
  const auto files = fs.List(directory);
  if (absl::IsNotFound(files.status())) return segments;
  RETURN_IF_ERROR(files.status());
  for (const FileInfo& file : *files) {
    if (const auto segment = SegmentOfName(file.name)) segments.push_back(*segment);
  }
  std::sort(segments.begin(), segments.end());
  return segments;
}

absl::StatusOr<std::vector<proto::StoredBlock>> ListLoggedBlocks(FileSystem& fs,
                                                                 const std::string& directory,
                                                                 int64_t first_segment) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> segments, ListSegments(fs, directory));
  std::map<int64_t, proto::StoredBlock> by_sequence;
  for (const int64_t segment : segments) {
    if (segment < first_segment) continue;
    RETURN_IF_ERROR(ListSegment(fs, directory, segment, by_sequence));
  }
  std::vector<proto::StoredBlock> blocks;
  blocks.reserve(by_sequence.size());
  for (auto& [sequence, block] : by_sequence) blocks.push_back(std::move(block));
  return blocks;
}

}  // namespace millrace::internal
