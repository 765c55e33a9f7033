#include "common/log/segment_format.h"

#include <charconv>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "common/record/encoder.h"

namespace millrace::internal {
namespace {

constexpr uint32_t kMagic = 0x4c57524d;  // "MRWL"
constexpr uint16_t kVersion = 1;
constexpr std::string_view kRecordMagic = "MRLR";
constexpr std::string_view kNamePrefix = "log-";

uint64_t Checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

void PutRecordHead(Encoder& encoder, const SegmentRecordHead& head) {
  encoder.PutBytes(kRecordMagic);
  encoder.PutFixed(head.payload_bytes);
  encoder.PutFixed(head.durable_bytes);
  encoder.PutFixed(head.checksum);
}

// A head that stands in a wrong place has a wrong check.
uint64_t HeadCheck(uint64_t offset, std::string_view head) {
  return XXH3_64bits_withSeed(head.data(), head.size(), offset);
}

}  // namespace

std::string SegmentName(int64_t segment) {
  return absl::StrFormat("%s%08d", absl::string_view(kNamePrefix.data(), kNamePrefix.size()),
                         segment);
}

std::optional<int64_t> SegmentOfName(std::string_view file_name) {
  if (!file_name.starts_with(kNamePrefix)) return std::nullopt;
  int64_t segment = 0;
  const char* const end = file_name.data() + file_name.size();
  const auto parsed = std::from_chars(file_name.data() + kNamePrefix.size(), end, segment);
  if (parsed.ec != std::errc() || parsed.ptr != end || segment <= 0) return std::nullopt;
  // One name a segment.
  if (SegmentName(segment) != file_name) return std::nullopt;
  return segment;
}

std::string EncodeSegmentHead(int64_t segment) {
  Encoder head;
  head.PutFixed(kMagic);
  head.PutFixed(kVersion);
  head.PutFixed(uint16_t{0});
  head.PutFixed(static_cast<uint64_t>(segment));
  head.PutFixed(Checksum(head.view()));
  return head.ToString();
}

std::string EncodeSegmentRecordHead(uint64_t offset, const SegmentRecordHead& head) {
  Encoder encoder;
  PutRecordHead(encoder, head);
  encoder.PutFixed(HeadCheck(offset, encoder.view()));
  return encoder.ToString();
}

std::optional<SegmentRecordHead> DecodeSegmentRecordHead(uint64_t offset, std::string_view bytes) {
  Decoder decoder(bytes);
  if (decoder.GetBytes(kRecordMagic.size()) != kRecordMagic) return std::nullopt;
  SegmentRecordHead head;
  head.payload_bytes = decoder.GetFixed<uint32_t>();
  head.durable_bytes = decoder.GetFixed<uint64_t>();
  head.checksum = decoder.GetFixed<uint64_t>();
  const auto check = decoder.GetFixed<uint64_t>();
  if (decoder.failed() || head.payload_bytes > kSegmentPayloadBytesMax) return std::nullopt;
  Encoder checked;
  PutRecordHead(checked, head);
  if (check != HeadCheck(offset, checked.view())) return std::nullopt;
  return head;
}

std::string_view SegmentRecordMagic() { return kRecordMagic; }

uint64_t SegmentChecksum(const LogPayload& payload) {
  if (payload.size() == 1) return Checksum(payload[0].view());
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const Buffer& piece : payload) XXH3_64bits_update(&state, piece.data(), piece.size());
  return XXH3_64bits_digest(&state);
}

absl::Status CorruptSegment(const std::string& path, uint64_t offset, std::string_view problem) {
  return absl::DataLossError(absl::StrCat("the log file '", path, "' is corrupt at offset ", offset,
                                          ": ", absl::string_view(problem.data(), problem.size())));
}

}  // namespace millrace::internal
