// Bytes made fewer for their way over a network.
#ifndef MILLRACE_COMMON_MEMORY_COMPRESSION_H_
#define MILLRACE_COMMON_MEMORY_COMPRESSION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace millrace {

// The numbers travel.
enum class CompressionCodec : uint8_t { kNone = 0, kLz4 = 1, kZstd = 2 };

// What has more bytes is not compressed, and its size not believed when it comes back.
inline constexpr size_t kCompressedBytesMax = size_t{64} << 20;

// An LZ4 block or a zstd frame (at its level 1: the wire is faster than the others).
// nullopt: it would not get smaller, or is too large. Threads: any.
std::optional<std::string> Compress(CompressionCodec codec, std::string_view bytes);

// `size_bytes`: of what was compressed. InvalidArgument: these bytes are not that.
absl::StatusOr<std::string> Decompress(CompressionCodec codec, std::string_view bytes,
                                       size_t size_bytes);

}  // namespace millrace

#endif  // MILLRACE_COMMON_MEMORY_COMPRESSION_H_
