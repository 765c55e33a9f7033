#include "common/memory/compression.h"

#include <lz4.h>
#include <zstd.h>

#include "absl/strings/str_cat.h"

namespace millrace {
namespace {

constexpr int kZstdLevel = 1;

// 0: it has failed.
size_t CompressInto(CompressionCodec codec, std::string_view bytes, std::string& out) {
  if (codec == CompressionCodec::kLz4) {
    const int size = LZ4_compress_default(bytes.data(), out.data(), static_cast<int>(bytes.size()),
                                          static_cast<int>(out.size()));
    return size > 0 ? static_cast<size_t>(size) : 0;
  }
  const size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), kZstdLevel);
  return ZSTD_isError(size) != 0 ? 0 : size;
}

// False: these are not the bytes of `out.size()` others.
bool DecompressInto(CompressionCodec codec, std::string_view bytes, std::string& out) {
  if (codec == CompressionCodec::kLz4) {
    const int size = LZ4_decompress_safe(bytes.data(), out.data(), static_cast<int>(bytes.size()),
                                         static_cast<int>(out.size()));
    return size >= 0 && static_cast<size_t>(size) == out.size();
  }
  const size_t size = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  return ZSTD_isError(size) == 0 && size == out.size();
}

}  // namespace

// Both libraries give up where the result does not fit, so there is room for a smaller one only.
std::optional<std::string> Compress(CompressionCodec codec, std::string_view bytes) {
  if (codec == CompressionCodec::kNone || bytes.size() < 2 || bytes.size() > kCompressedBytesMax) {
    return std::nullopt;
  }
  std::string out(bytes.size() - 1, '\0');
  const size_t size = CompressInto(codec, bytes, out);
  if (size == 0) return std::nullopt;
  out.resize(size);
  return out;
}

absl::StatusOr<std::string> Decompress(CompressionCodec codec, std::string_view bytes,
                                       size_t size_bytes) {
  if (codec != CompressionCodec::kLz4 && codec != CompressionCodec::kZstd) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no compression ", static_cast<int>(codec)));
  }
  if (size_bytes <= kCompressedBytesMax && bytes.size() <= kCompressedBytesMax) {
    std::string out(size_bytes, '\0');
    if (DecompressInto(codec, bytes, out)) return out;
  }
  return absl::InvalidArgumentError(absl::StrCat(bytes.size(), " compressed bytes are not what ",
                                                 size_bytes, " bytes were made into"));
}

}  // namespace millrace
