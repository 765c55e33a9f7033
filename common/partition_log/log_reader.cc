#include "common/partition_log/log_reader.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace millrace::internal {
namespace {

constexpr size_t kBlockBytes = size_t{256} << 10;

}  // namespace

absl::Status LogReader::Corrupt(std::string_view problem) const {
  return CorruptLog(file_.path(), place_, problem);
}

absl::Status LogReader::Load(size_t bytes) {
  const uint64_t left = file_.size_bytes() - place_.position;
  const size_t wanted = std::min<uint64_t>(left, std::max(bytes, kBlockBytes));
  if (!slab_.unshared() || slab_.capacity() < wanted) slab_ = Slab(std::max(wanted, kBlockBytes));
  loaded_bytes_ = 0;
  ASSIGN_OR_RETURN(loaded_bytes_, file_.ReadAt(place_.position, slab_.data(), wanted));
  loaded_from_ = place_.position;
  if (on_block_) on_block_(slab_.Slice(0, loaded_bytes_));
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> LogReader::Window(size_t bytes) {
  const uint64_t end = std::min<uint64_t>(place_.position + bytes, file_.size_bytes());
  if (place_.position < loaded_from_ || end > loaded_from_ + loaded_bytes_) {
    RETURN_IF_ERROR(Load(bytes));
  }
  const std::string_view loaded(slab_.data(), loaded_bytes_);
  return loaded.substr(place_.position - loaded_from_, bytes);
}

absl::StatusOr<bool> LogReader::OnlyZerosFrom(uint64_t position) const {
  std::string bytes(kBlockBytes, '\0');
  while (position < file_.size_bytes()) {
    const size_t wanted = std::min<uint64_t>(bytes.size(), file_.size_bytes() - position);
    ASSIGN_OR_RETURN(const size_t read, file_.ReadAt(position, bytes.data(), wanted));
    if (read == 0) break;
    if (std::string_view(bytes).substr(0, read).find_first_not_of('\0') != std::string::npos) {
      return false;
    }
    position += read;
  }
  return true;
}

absl::StatusOr<bool> LogReader::CheckFileHead() {
  if (file_head_checked_) return true;
  if (file_.size_bytes() < kLogHeadBytes) return false;
  ASSIGN_OR_RETURN(const Buffer head, file_.Read(0, kLogHeadBytes));
  if (!IsLogHead(head.view())) {
    ASSIGN_OR_RETURN(const bool is_unwritten, OnlyZerosFrom(0));
    if (is_unwritten) return false;
    return CorruptLog(file_.path(), {0, 0},
                      "it does not begin as a partition of a log, version 1, does");
  }
  file_head_checked_ = true;
  return true;
}

absl::StatusOr<std::optional<LogRecordHead>> LogReader::Head() {
  ASSIGN_OR_RETURN(const bool has_file_head, CheckFileHead());
  const uint64_t size = file_.size_bytes();
  if (!has_file_head || place_.position > size || size - place_.position < kLogRecordHeadBytes) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const std::string_view bytes, Window(kLogRecordHeadBytes));
  if (bytes.size() < kLogRecordHeadBytes) return std::nullopt;
  const std::optional<LogRecordHead> head = DecodeLogRecordHead(bytes, place_.offset);
  if (!head.has_value()) {
    ASSIGN_OR_RETURN(const bool is_unwritten, OnlyZerosFrom(place_.position));
    if (is_unwritten) return std::nullopt;
    return Corrupt("wrong head of the record");
  }
  if (head->size > kLogRecordBytesMax) {
    return Corrupt(
        absl::StrCat("a record of ", head->size, " bytes; the limit is ", kLogRecordBytesMax));
  }
  if (head->size > size - place_.position - kLogRecordHeadBytes) return std::nullopt;
  return head;
}

void LogReader::Pass(const LogRecordHead& head) {
  ++place_.offset;
  place_.position += kLogRecordHeadBytes + head.size;
}

absl::StatusOr<std::optional<std::string_view>> LogReader::Next() {
  ASSIGN_OR_RETURN(const std::optional<LogRecordHead> head, Head());
  if (!head.has_value()) return std::nullopt;
  const size_t bytes = kLogRecordHeadBytes + head->size;
  ASSIGN_OR_RETURN(const std::string_view record, Window(bytes));
  if (record.size() < bytes) return std::nullopt;
  const std::string_view payload = record.substr(kLogRecordHeadBytes);
  if (LogChecksum(payload) != head->checksum) {
    if (place_.position + bytes == file_.size_bytes()) return std::nullopt;
    return Corrupt("wrong checksum of the record");
  }
  Pass(*head);
  return payload;
}

absl::StatusOr<bool> LogReader::Skip() {
  ASSIGN_OR_RETURN(const std::optional<LogRecordHead> head, Head());
  if (!head.has_value()) return false;
  if (place_.position + kLogRecordHeadBytes + head->size == file_.size_bytes()) {
    ASSIGN_OR_RETURN(const std::optional<std::string_view> last, Next());
    return last.has_value();
  }
  Pass(*head);
  return true;
}

}  // namespace millrace::internal
