#include "driver/checkpoint/checkpoint_file.h"

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/record/encoder.h"

namespace millrace::internal {
namespace {

constexpr uint32_t kMagic = 0x4b43524d;  // "MRCK"
constexpr uint16_t kVersion = 2;
constexpr uint16_t kOldestVersion = 1;  // States are one directory each.
constexpr size_t kHeadBytes = 16;
constexpr size_t kChecksumBytes = 8;

uint64_t Checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

absl::Status Corrupt(size_t offset, const std::string& problem) {
  return absl::DataLossError(absl::StrCat("at offset ", offset, ": ", problem));
}

}  // namespace

std::string EncodeCheckpoint(const proto::Checkpoint& checkpoint) {
  const std::string message = checkpoint.SerializeAsString();
  Encoder file;
  file.PutFixed(kMagic);
  file.PutFixed(kVersion);
  file.PutFixed(uint16_t{0});
  file.PutFixed(uint64_t{message.size()});
  file.PutBytes(message);
  file.PutFixed(Checksum(file.view()));
  return file.ToString();
}

absl::StatusOr<proto::Checkpoint> DecodeCheckpoint(std::string_view bytes) {
  if (bytes.size() < kHeadBytes + kChecksumBytes) {
    return Corrupt(bytes.size(), "the file ends within the head");
  }
  Decoder head(bytes.substr(0, kHeadBytes));
  if (head.GetFixed<uint32_t>() != kMagic) return Corrupt(0, "this is no checkpoint");
  const auto version = head.GetFixed<uint16_t>();
  if (version < kOldestVersion || version > kVersion) {
    return absl::UnimplementedError(
        absl::StrCat("it has version ", version, ", and this program reads versions ",
                     kOldestVersion, " to ", kVersion, ": it was written by another release"));
  }
  head.GetFixed<uint16_t>();
  const auto size = head.GetFixed<uint64_t>();
  if (size != bytes.size() - kHeadBytes - kChecksumBytes ||
      size > static_cast<uint64_t>(std::numeric_limits<int>::max())) {
    return Corrupt(8, absl::StrCat("the size says ", size, " bytes, and there are ",
                                   bytes.size() - kHeadBytes - kChecksumBytes));
  }
  const std::string_view checked = bytes.substr(0, bytes.size() - kChecksumBytes);
  Decoder tail(bytes.substr(checked.size()));
  if (tail.GetFixed<uint64_t>() != Checksum(checked)) {
    return Corrupt(checked.size(), "the checksum does not match");
  }
  proto::Checkpoint checkpoint;
  if (!checkpoint.ParseFromArray(bytes.data() + kHeadBytes, static_cast<int>(size))) {
    return Corrupt(kHeadBytes, "the message cannot be parsed");
  }
  return checkpoint;
}

}  // namespace millrace::internal
