#include "common/memory/compression.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace millrace {
namespace {

class CompressionTest : public ::testing::TestWithParam<CompressionCodec> {};

std::string Noise(size_t size) {
  std::mt19937_64 random(7);
  std::string noise(size, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

TEST_P(CompressionTest, GivesBackWhatWentIn) {
  for (const size_t size : {100, 1000, 100'000, 2'000'000}) {
    std::string text;
    while (text.size() < size) text += "word" + std::to_string(text.size() % 97) + " ";
    const auto compressed = Compress(GetParam(), text);
    ASSERT_TRUE(compressed.has_value());
    EXPECT_LT(compressed->size(), text.size());
    const auto back = Decompress(GetParam(), *compressed, text.size());
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, text);
  }
}

TEST_P(CompressionTest, WhatDoesNotGetSmallerIsLeft) {
  EXPECT_FALSE(Compress(GetParam(), Noise(10'000)).has_value());
  EXPECT_FALSE(Compress(GetParam(), "").has_value());
  EXPECT_FALSE(Compress(GetParam(), "a").has_value());
  EXPECT_FALSE(Compress(GetParam(), std::string(kCompressedBytesMax + 1, 'x')).has_value());
}

TEST_P(CompressionTest, BytesCutOrFlippedAnywhereAreRefusedOrOfTheSize) {
  const std::string text = "a rose is a rose is a rose is a rose is a rose is a rose is a rose";
  const std::string compressed = *Compress(GetParam(), text);
  for (size_t i = 0; i < compressed.size(); ++i) {
    EXPECT_FALSE(Decompress(GetParam(), compressed.substr(0, i), text.size()).ok());
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = compressed;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      const auto back = Decompress(GetParam(), flipped, text.size());
      if (back.ok()) {
        EXPECT_EQ(back->size(), text.size());
      }
    }
  }
  EXPECT_FALSE(Decompress(GetParam(), compressed, text.size() + 1).ok());
  EXPECT_FALSE(Decompress(GetParam(), compressed, text.size() - 1).ok());
  EXPECT_FALSE(Decompress(GetParam(), compressed, kCompressedBytesMax + 1).ok());
}

INSTANTIATE_TEST_SUITE_P(Codecs, CompressionTest,
                         ::testing::Values(CompressionCodec::kLz4, CompressionCodec::kZstd));

TEST(NoCompressionTest, IsNone) {
  EXPECT_FALSE(Compress(CompressionCodec::kNone, std::string(1000, 'x')).has_value());
  EXPECT_FALSE(Decompress(CompressionCodec::kNone, "x", 1).ok());
  EXPECT_FALSE(Decompress(static_cast<CompressionCodec>(9), "x", 1).ok());
}

}  // namespace
}  // namespace millrace
