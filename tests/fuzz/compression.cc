// Compressed pieces of shuffles: bytes that are none, and bytes through it and back.
#include "common/memory/compression.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"

namespace millrace::internal {
namespace {

// Larger results are allowed, but a fuzzer would do nothing but fill them.
constexpr uint32_t kPlainBytesMax = 1 << 20;

void RoundTrip(CompressionCodec codec, std::string_view plain) {
  const auto compressed = Compress(codec, plain);
  if (!compressed.has_value()) return;
  CHECK_LT(compressed->size(), plain.size());
  const auto again = Decompress(codec, *compressed, plain.size());
  CHECK(again.ok()) << again.status();
  CHECK(*again == plain);
}

// | codec u8 | plain size u32 | compressed bytes |
bool Run(std::string_view bytes) {
  FuzzBytes input(bytes);
  const auto codec = static_cast<CompressionCodec>(input.TakeByte());
  const uint32_t plain_size = input.TakeU32();
  const std::string_view compressed = input.Rest();
  RoundTrip(CompressionCodec::kLz4, compressed);
  RoundTrip(CompressionCodec::kZstd, compressed);
  if (plain_size > kPlainBytesMax && plain_size <= kCompressedBytesMax) return false;
  const auto plain = Decompress(codec, compressed, plain_size);
  CHECK(!plain.ok() || plain->size() == plain_size);
  return plain.ok();
}

FuzzSeeds Seeds() {
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word-" + std::to_string(i % 7) + " ";
  const std::string zeros(3000, '\0');
  FuzzSeeds seeds;
  for (const auto codec : {CompressionCodec::kLz4, CompressionCodec::kZstd}) {
    for (const std::string& plain : {words, zeros}) {
      seeds.emplace_back(
          (codec == CompressionCodec::kLz4 ? "lz4-" : "zstd-") + std::to_string(plain.size()),
          FuzzWriter()
              .PutByte(static_cast<uint8_t>(codec))
              .PutU32(static_cast<uint32_t>(plain.size()))
              .Put(Compress(codec, plain).value())
              .Take());
    }
  }
  return seeds;
}

const FuzzTarget target("compression", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
