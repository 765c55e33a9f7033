#include "common/log/segment_reader.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "common/fs/path.h"

namespace millrace::internal {
namespace {

constexpr size_t kScanBytes = size_t{1} << 20;

// None: the file ends before, or what is there is no record.
absl::StatusOr<std::optional<Buffer>> PayloadAt(const RandomAccessFile& file, uint64_t offset) {
  const uint64_t size = file.size_bytes();
  if (offset > size || size - offset < kSegmentRecordHeadBytes) return std::nullopt;
  ASSIGN_OR_RETURN(const Buffer bytes, file.Read(offset, kSegmentRecordHeadBytes));
  const std::optional<SegmentRecordHead> head = DecodeSegmentRecordHead(offset, bytes.view());
  if (!head || head->payload_bytes > size - offset - kSegmentRecordHeadBytes) return std::nullopt;
  ASSIGN_OR_RETURN(Buffer payload,
                   file.Read(offset + kSegmentRecordHeadBytes, head->payload_bytes));
  if (SegmentChecksum({payload}) != head->checksum) return std::nullopt;
  return payload;
}

}  // namespace

absl::StatusOr<bool> SegmentReader::CheckFileHead() {
  const size_t size = std::min<uint64_t>(kSegmentHeadBytes, file_.size_bytes());
  ASSIGN_OR_RETURN(const Buffer head, file_.Read(0, size));
  if (head.view() == EncodeSegmentHead(segment_)) return true;
  // No record's writer has known it to be on the disk: the file's first write was cut short.
  ASSIGN_OR_RETURN(const bool was_durable, WasDurable(0));
  const bool has_record_bytes = file_.size_bytes() > kSegmentHeadBytes;
  if (!was_durable && !has_record_bytes) return false;
  ASSIGN_OR_RETURN(const std::optional<Buffer> first, PayloadAt(file_, kSegmentHeadBytes));
  if (!was_durable && !first.has_value()) return false;
  return CorruptSegment(file_.path(), 0,
                        "it does not begin as a segment of a log, version 1, does");
}

absl::StatusOr<std::optional<SegmentReader::Record>> SegmentReader::ReadAt(uint64_t offset) {
  ASSIGN_OR_RETURN(std::optional<Buffer> payload, PayloadAt(file_, offset));
  if (!payload.has_value()) return std::nullopt;
  const auto size_bytes = static_cast<int64_t>(kSegmentRecordHeadBytes + payload->size());
  return Record{{segment_, static_cast<int64_t>(offset), size_bytes}, *std::move(payload)};
}

absl::StatusOr<bool> SegmentReader::WasDurable(uint64_t offset) {
  const std::string_view magic = SegmentRecordMagic();
  std::string bytes;
  for (uint64_t from = offset + 1; from < file_.size_bytes();) {
    bytes.resize(std::min<uint64_t>(kScanBytes, file_.size_bytes() - from));
    ASSIGN_OR_RETURN(const size_t read, file_.ReadAt(from, bytes.data(), bytes.size()));
    bytes.resize(read);
    if (read < kSegmentRecordHeadBytes) break;
    const std::string_view window(bytes);
    for (size_t at = window.find(magic); at != std::string_view::npos;
         at = window.find(magic, at + 1)) {
      if (window.size() - at < kSegmentRecordHeadBytes) break;
      const auto head =
          DecodeSegmentRecordHead(from + at, window.substr(at, kSegmentRecordHeadBytes));
      if (head && head->durable_bytes > offset) return true;
    }
    // A head may lie across the border of two windows.
    from += read - (kSegmentRecordHeadBytes - 1);
  }
  return false;
}

absl::StatusOr<std::optional<SegmentReader::Record>> SegmentReader::Next() {
  if (next_ == 0) {
    ASSIGN_OR_RETURN(const bool has_head, CheckFileHead());
    if (!has_head) return std::nullopt;
    next_ = kSegmentHeadBytes;
  }
  while (true) {
    ASSIGN_OR_RETURN(std::optional<Record> record, ReadAt(next_));
    if (!record.has_value()) break;
    next_ += static_cast<uint64_t>(record->place.size_bytes);
    if (!record->payload.empty()) return record;
  }
  if (next_ >= file_.size_bytes()) return std::nullopt;
  ASSIGN_OR_RETURN(const bool was_durable, WasDurable(next_));
  if (was_durable) {
    return CorruptSegment(file_.path(), next_, "a record that was on the disk is not whole");
  }
  return std::nullopt;
}

absl::StatusOr<Buffer> ReadLogRecord(FileSystem& fs, const std::string& directory,
                                     const SegmentPlace& place) {
  const std::string path = JoinPath(directory, SegmentName(place.segment));
  ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file, fs.OpenForRead(path));
  const auto offset = static_cast<uint64_t>(place.offset);
  ASSIGN_OR_RETURN(std::optional<Buffer> payload, PayloadAt(*file, offset));
  if (!payload.has_value() ||
      static_cast<int64_t>(payload->size() + kSegmentRecordHeadBytes) != place.size_bytes) {
    return CorruptSegment(path, offset, "the record that should be there is not whole");
  }
  return *std::move(payload);
}

}  // namespace millrace::internal
