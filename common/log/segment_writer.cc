#include "common/log/segment_writer.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"

namespace millrace::internal {

absl::StatusOr<SegmentWriter> SegmentWriter::Create(FileSystem& fs, const std::string& directory,
                                                    int64_t segment) {
  const std::string path = JoinPath(directory, SegmentName(segment));
  ASSIGN_OR_RETURN(auto file, fs.OpenForWrite(path, WriteMode::kCreateNew));
  absl::Status status = file->Append(EncodeSegmentHead(segment));
  if (status.ok()) status = fs.SyncDir(directory);
  if (status.ok()) return SegmentWriter(std::move(file), segment);
  file.reset();
  fs.Delete(path).IgnoreError();
  return status;
}

absl::StatusOr<SegmentPlace> SegmentWriter::Append(const LogPayload& payload) {
  uint64_t bytes = 0;
  for (const Buffer& piece : payload) bytes += piece.size();
  if (bytes > kSegmentPayloadBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", path(), "': a record of ", bytes, " bytes; the limit is ", kSegmentPayloadBytesMax));
  }
  const uint64_t offset = file_->size_bytes();
  const SegmentRecordHead head{static_cast<uint32_t>(bytes), durable_bytes_,
                               SegmentChecksum(payload)};
  RETURN_IF_ERROR(file_->Append(EncodeSegmentRecordHead(offset, head)));
  for (const Buffer& piece : payload) RETURN_IF_ERROR(file_->Append(piece.view()));
  return SegmentPlace{segment_, static_cast<int64_t>(offset),
                      static_cast<int64_t>(kSegmentRecordHeadBytes + bytes)};
}

absl::Status SegmentWriter::Sync() {
  RETURN_IF_ERROR(file_->Sync());
  durable_bytes_ = file_->size_bytes();
  return absl::OkStatus();
}

absl::Status SegmentWriter::Finish() {
  RETURN_IF_ERROR(Sync());
  RETURN_IF_ERROR(Append({}).status());
  RETURN_IF_ERROR(Sync());
  return file_->Close();
}

}  // namespace millrace::internal
