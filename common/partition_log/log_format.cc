#include "common/partition_log/log_format.h"

#include <charconv>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "common/record/encoder.h"

namespace millrace::internal {
namespace {

constexpr std::string_view kNamePrefix = "partition-";
constexpr std::string_view kNameSuffix = ".log";

uint32_t HeadCheck(int64_t offset, const LogRecordHead& head) {
  Encoder checked;
  checked.PutFixed(offset);
  checked.PutFixed(head.checksum);
  checked.PutFixed(head.size);
  return static_cast<uint32_t>(LogChecksum(checked.view()));
}

}  // namespace

uint64_t LogChecksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string LogFileName(int partition) { return absl::StrFormat("partition-%05d.log", partition); }

std::optional<int> PartitionOfLogFile(std::string_view file_name) {
  if (!file_name.starts_with(kNamePrefix) || !file_name.ends_with(kNameSuffix) ||
      file_name.size() < kNamePrefix.size() + kNameSuffix.size()) {
    return std::nullopt;
  }
  const char* const begin = file_name.data() + kNamePrefix.size();
  const char* const end = file_name.data() + file_name.size() - kNameSuffix.size();
  int partition = -1;
  const auto parsed = std::from_chars(begin, end, partition);
  if (parsed.ec != std::errc() || parsed.ptr != end || partition < 0) return std::nullopt;
  // One name a partition: "partition-7.log" is none.
  if (LogFileName(partition) != file_name) return std::nullopt;
  return partition;
}

std::string EncodeLogHead() {
  Encoder head;
  head.PutFixed(kLogMagic);
  head.PutFixed(kLogVersion);
  head.PutFixed(uint16_t{0});
  return head.ToString();
}

bool IsLogHead(std::string_view bytes) { return bytes == EncodeLogHead(); }

std::string EncodeLogRecordHead(int64_t offset, std::string_view record) {
  const LogRecordHead head{static_cast<uint32_t>(record.size()), LogChecksum(record)};
  Encoder encoder;
  encoder.PutFixed(head.size);
  encoder.PutFixed(HeadCheck(offset, head));
  encoder.PutFixed(head.checksum);
  return encoder.ToString();
}

std::optional<LogRecordHead> DecodeLogRecordHead(std::string_view bytes, int64_t offset) {
  Decoder decoder(bytes);
  LogRecordHead head;
  head.size = decoder.GetFixed<uint32_t>();
  const auto check = decoder.GetFixed<uint32_t>();
  head.checksum = decoder.GetFixed<uint64_t>();
  if (decoder.failed() || check != HeadCheck(offset, head)) return std::nullopt;
  return head;
}

absl::Status CorruptLog(const std::string& path, const LogPlace& place, std::string_view problem) {
  return absl::DataLossError(
      absl::StrCat("'", path, "' is corrupt at offset ", place.offset, " (byte ", place.position,
                   "): ", absl::string_view(problem.data(), problem.size())));
}

}  // namespace millrace::internal
