#include "executor/state/state_file.h"

#include <xxhash.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/record/encoder.h"

namespace millrace::internal {
namespace {

constexpr size_t kHeadBytes = 36;
constexpr size_t kFrameHeadBytes = 16;

uint64_t Checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

uint64_t FrameChecksum(std::string_view records, uint32_t size, uint32_t count) {
  return XXH3_64bits_withSeed(records.data(), records.size(), uint64_t{count} << 32 | size);
}

std::string FrameHead(uint32_t size, uint32_t count, uint64_t checksum) {
  Encoder head;
  head.PutFixed(size);
  head.PutFixed(count);
  head.PutFixed(checksum);
  return head.ToString();
}

}  // namespace

std::string EncodeStateFileHead(const StateFileHead& head) {
  Encoder encoder;
  encoder.PutFixed(kStateFileMagic);
  encoder.PutFixed(kStateFileVersion);
  encoder.PutFixed(uint16_t{0});
  encoder.PutFixed(head.time_ms);
  encoder.PutFixed(head.since_ms);
  encoder.PutFixed(head.partition);
  encoder.PutFixed(Checksum(encoder.view()));
  return encoder.ToString();
}

std::string StateFrameHead(std::string_view records, uint32_t record_count) {
  const auto size = static_cast<uint32_t>(records.size());
  return FrameHead(size, record_count, FrameChecksum(records, size, record_count));
}

std::string StateFileEnd(uint32_t frame_count) {
  return FrameHead(0, frame_count, FrameChecksum({}, 0, frame_count));
}

absl::Status StateFileReader::Corrupt(std::string_view problem) const {
  return absl::DataLossError(absl::StrCat("saved state ", file_.path(), ": ",
                                          absl::string_view(problem.data(), problem.size()),
                                          " at offset ", offset_));
}

absl::StatusOr<StateFileHead> StateFileReader::ReadHead() {
  if (file_.size_bytes() < kHeadBytes) return Corrupt("too short for its head");
  ASSIGN_OR_RETURN(const Buffer bytes, file_.Read(0, kHeadBytes));
  Decoder decoder(bytes.view());
  if (decoder.GetFixed<uint32_t>() != kStateFileMagic) return Corrupt("no file of state");
  const auto version = decoder.GetFixed<uint16_t>();
  if (version != kStateFileVersion) {
    return absl::UnimplementedError(absl::StrCat("saved state ", file_.path(), " has version ",
                                                 version, ", and this program reads version ",
                                                 kStateFileVersion));
  }
  decoder.GetFixed<uint16_t>();
  StateFileHead head;
  head.time_ms = decoder.GetFixed<int64_t>();
  head.since_ms = decoder.GetFixed<int64_t>();
  head.partition = decoder.GetFixed<uint32_t>();
  if (decoder.GetFixed<uint64_t>() != Checksum(bytes.view().substr(0, kHeadBytes - 8))) {
    return Corrupt("wrong checksum of the head");
  }
  offset_ = kHeadBytes;
  return head;
}

absl::StatusOr<bool> StateFileReader::Next(Frame& frame) {
  const uint64_t left = file_.size_bytes() - offset_;
  if (left < kFrameHeadBytes) return Corrupt("the file ends before its end mark");
  ASSIGN_OR_RETURN(const Buffer head, file_.Read(offset_, kFrameHeadBytes));
  Decoder decoder(head.view());
  const auto size = decoder.GetFixed<uint32_t>();
  const auto count = decoder.GetFixed<uint32_t>();
  const auto checksum = decoder.GetFixed<uint64_t>();
  if (size > left - kFrameHeadBytes) return Corrupt("the file ends within the frame");
  Buffer records;
  if (size > 0) {
    ASSIGN_OR_RETURN(records, file_.Read(offset_ + kFrameHeadBytes, size));
  }
  if (FrameChecksum(records.view(), size, count) != checksum) {
    return Corrupt("wrong checksum of the frame");
  }
  if (size == 0) {
    RETURN_IF_ERROR(CheckEnd(count));
    return false;
  }
  ++frames_;
  frame = {
      .records = std::move(records), .record_count = count, .offset = offset_ + kFrameHeadBytes};
  offset_ += kFrameHeadBytes + size;
  return true;
}

absl::Status StateFileReader::CheckEnd(uint32_t frame_count) const {
  if (frame_count != frames_) return Corrupt("frames are missing before the end mark");
  if (offset_ + kFrameHeadBytes != file_.size_bytes()) return Corrupt("bytes behind the end mark");
  return absl::OkStatus();
}

}  // namespace millrace::internal
