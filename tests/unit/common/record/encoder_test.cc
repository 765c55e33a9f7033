#include "common/record/encoder.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace millrace::internal {
namespace {

TEST(EncoderTest, IsEmptyByDefault) {
  Encoder encoder;
  EXPECT_TRUE(encoder.empty());
  EXPECT_EQ(encoder.view(), "");
  EXPECT_TRUE(encoder.TakeBuffer().empty());
}

TEST(EncoderTest, FixedNumbersAreLittleEndian) {
  Encoder encoder;
  encoder.PutFixed(uint32_t{0x01020304});
  encoder.PutFixed(int16_t{-2});
  EXPECT_EQ(encoder.view(), std::string_view("\x04\x03\x02\x01\xfe\xff", 6));
}

TEST(EncoderTest, VarintsHaveSevenBitsAByte) {
  Encoder encoder;
  for (const uint64_t value : {0ull, 127ull, 128ull, 300ull}) encoder.PutVarint(value);
  EXPECT_EQ(encoder.view(), std::string_view("\x00\x7f\x80\x01\xac\x02", 6));
}

TEST(EncoderTest, EveryVarintComesBack) {
  std::vector<uint64_t> values{0, std::numeric_limits<uint64_t>::max()};
  for (int shift = 0; shift < 64; ++shift) {
    for (const int64_t nearby : {-1, 0, 1}) {
      values.push_back((uint64_t{1} << shift) + static_cast<uint64_t>(nearby));
    }
  }
  Encoder encoder;
  for (const uint64_t value : values) encoder.PutVarint(value);
  Decoder decoder(encoder.view());
  for (const uint64_t value : values) EXPECT_EQ(decoder.GetVarint(), value);
  EXPECT_TRUE(decoder.done());
  EXPECT_FALSE(decoder.failed());
}

TEST(EncoderTest, GrowsAndKeepsWhatItHolds) {
  Encoder encoder;
  std::string expected;
  for (int i = 0; i < 10'000; ++i) {
    const std::string piece(static_cast<size_t>(i % 37), static_cast<char>('a' + i % 26));
    encoder.PutBytes(piece);
    expected += piece;
  }
  EXPECT_EQ(encoder.view(), expected);
  EXPECT_EQ(encoder.size(), expected.size());
}

TEST(EncoderTest, TakingTheBufferEmptiesIt) {
  Encoder encoder;
  encoder.PutBytes("first");
  const Buffer first = encoder.TakeBuffer();
  EXPECT_TRUE(encoder.empty());
  encoder.PutBytes("second");
  const Buffer second = encoder.TakeBuffer();
  EXPECT_EQ(first.view(), "first");
  EXPECT_EQ(second.view(), "second");
}

TEST(EncoderTest, ClearAndTruncateDropBytes) {
  Encoder encoder;
  encoder.PutBytes("kept and dropped");
  encoder.Truncate(4);
  EXPECT_EQ(encoder.view(), "kept");
  encoder.Clear();
  EXPECT_TRUE(encoder.empty());
}

TEST(EncoderTest, AMovedFromEncoderIsEmpty) {
  Encoder encoder(Encoder::Form::kCanonical);
  encoder.PutBytes("text");
  const Encoder moved = std::move(encoder);
  EXPECT_EQ(moved.view(), "text");
  EXPECT_TRUE(moved.is_canonical());
  EXPECT_TRUE(encoder.empty());  // NOLINT(bugprone-use-after-move)
}

TEST(DecoderTest, FailsAtItsEndAndStaysThere) {
  Decoder decoder("abc");
  EXPECT_EQ(decoder.GetFixed<uint64_t>(), 0u);
  EXPECT_TRUE(decoder.failed());
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(decoder.GetFixed<char>(), '\0');
  EXPECT_EQ(decoder.GetBytes(1), "");
  EXPECT_EQ(decoder.GetVarint(), 0u);
}

TEST(DecoderTest, ALengthBeyondTheEndFails) {
  for (const uint64_t length : {uint64_t{4}, std::numeric_limits<uint64_t>::max()}) {
    Decoder decoder("abc");
    EXPECT_EQ(decoder.GetBytes(length), "");
    EXPECT_TRUE(decoder.failed());
  }
}

TEST(DecoderTest, AVarintThatDoesNotEndFails) {
  for (size_t length = 0; length <= 12; ++length) {
    const std::string bytes(length, '\x80');
    Decoder decoder(bytes);
    decoder.GetVarint();
    EXPECT_TRUE(decoder.failed()) << length;
  }
}

TEST(DecoderTest, AVarintOfMoreThan64BitsFails) {
  const std::string bytes = std::string(9, '\xff') + '\x02';
  Decoder decoder(bytes);
  decoder.GetVarint();
  EXPECT_TRUE(decoder.failed());
}

TEST(DecoderTest, ReadsEmptyBytesOfNothing) {
  Decoder decoder{std::string_view()};
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(decoder.GetBytes(0), "");
  EXPECT_FALSE(decoder.failed());
}

}  // namespace
}  // namespace millrace::internal
