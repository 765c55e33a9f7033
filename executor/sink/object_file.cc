#include "executor/sink/object_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/record/encoder.h"
#include "common/record/stable_hash.h"

namespace millrace::internal {

namespace {

constexpr size_t kHeadBytes = 8;
constexpr size_t kFrameHeadBytes = 16;

}  // namespace

std::string ObjectFileHead() {
  Encoder head;
  head.PutFixed(kObjectFileMagic);
  head.PutFixed(kObjectFileVersion);
  head.PutFixed(uint16_t{0});
  return head.ToString();
}

std::string ObjectFrameHead(std::string_view records, uint32_t record_count) {
  Encoder head;
  head.PutFixed(static_cast<uint32_t>(records.size()));
  head.PutFixed(record_count);
  head.PutFixed(StableHashBytes(records));
  return head.ToString();
}

absl::Status ObjectFileReader::Corrupt(std::string_view problem) const {
  return absl::DataLossError(absl::StrCat("object file ", file_.path(), ": ",
                                          absl::string_view(problem.data(), problem.size()),
                                          " at offset ", offset_));
}

absl::Status ObjectFileReader::CheckHead() {
  if (file_.size_bytes() < kHeadBytes) return Corrupt("too short for its head");
  ASSIGN_OR_RETURN(const Buffer head, file_.Read(0, kHeadBytes));
  Decoder decoder(head.view());
  if (decoder.GetFixed<uint32_t>() != kObjectFileMagic) return Corrupt("no object file");
  if (decoder.GetFixed<uint16_t>() != kObjectFileVersion) return Corrupt("unknown version");
  offset_ = kHeadBytes;
  return absl::OkStatus();
}

absl::StatusOr<bool> ObjectFileReader::Next(Frame& frame) {
  if (offset_ == 0) RETURN_IF_ERROR(CheckHead());
  const uint64_t left = file_.size_bytes() - offset_;
  if (left == 0) return false;
  if (left < kFrameHeadBytes) return Corrupt("too short for a frame");
  ASSIGN_OR_RETURN(const Buffer head, file_.Read(offset_, kFrameHeadBytes));
  Decoder decoder(head.view());
  const auto size = decoder.GetFixed<uint32_t>();
  const auto record_count = decoder.GetFixed<uint32_t>();
  const auto checksum = decoder.GetFixed<uint64_t>();
  if (size > left - kFrameHeadBytes) return Corrupt("the file ends within the frame");
  ASSIGN_OR_RETURN(Buffer records, file_.Read(offset_ + kFrameHeadBytes, size));
  if (StableHashBytes(records.view()) != checksum) return Corrupt("wrong checksum of the frame");
  frame = {.records = std::move(records), .record_count = record_count};
  offset_ += kFrameHeadBytes + size;
  return true;
}

}  // namespace millrace::internal
