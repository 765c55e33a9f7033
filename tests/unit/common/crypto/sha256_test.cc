#include "common/crypto/sha256.h"

#include "common/fs/file_util.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace millrace {
namespace {

constexpr char kOfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

// The examples of the standard.
TEST(Sha256Test, IsThatOfTheStandard) {
  EXPECT_EQ(Sha256Hex("abc"), kOfAbc);
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, PiecesMakeTheWhole) {
  Sha256 digest;
  digest.Update("a");
  digest.Update("");
  digest.Update("bc");
  EXPECT_EQ(digest.FinishHex(), kOfAbc);
}

TEST(Sha256Test, OfFilesOfAnySize) {
  MemoryFileSystem fs;
  for (const size_t size : {size_t{0}, size_t{3}, (size_t{1} << 20), (size_t{5} << 19) + 7}) {
    const std::string bytes(size, 'x');
    ASSERT_TRUE(WriteFileAtomically(fs, "/file", bytes).ok());
    EXPECT_EQ(Sha256HexOfFile(fs, "/file").value(), Sha256Hex(bytes)) << size;
  }
  EXPECT_EQ(Sha256HexOfFile(fs, "/none").status().code(), absl::StatusCode::kNotFound);
}

TEST(Sha256Test, OnlyADigestIsADigest) {
  EXPECT_TRUE(IsSha256Hex(kOfAbc));
  EXPECT_FALSE(IsSha256Hex(""));
  EXPECT_FALSE(IsSha256Hex(std::string(63, 'a')));
  EXPECT_FALSE(IsSha256Hex(std::string(65, 'a')));
  EXPECT_FALSE(IsSha256Hex(std::string(64, 'A')));
  EXPECT_FALSE(IsSha256Hex("../" + std::string(61, 'a')));
}

}  // namespace
}  // namespace millrace
