#include "common/memory/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>

namespace millrace {
namespace {

bool IsAligned(const void* pointer, size_t align) {
  return reinterpret_cast<uintptr_t>(pointer) % align == 0;
}

TEST(ArenaTest, TakesNothingBeforeItsFirstUse) {
  const Arena arena;
  EXPECT_EQ(arena.bytes_used(), 0u);
  EXPECT_EQ(arena.bytes_reserved(), 0u);
}

TEST(ArenaTest, AlignsWhatItGives) {
  Arena arena;
  for (const size_t align : {1, 2, 8, 16, 64, 4096}) {
    arena.Allocate(1, 1);
    void* const bytes = arena.Allocate(24, align);
    EXPECT_TRUE(IsAligned(bytes, align)) << align;
    std::memset(bytes, 0xff, 24);
  }
}

TEST(ArenaTest, CopiesStayWhereTheyAreAsItGrows) {
  Arena arena;
  std::vector<std::string_view> copies;
  for (int i = 0; i < 20000; ++i) copies.push_back(arena.CopyBytes("key " + std::to_string(i)));
  for (int i = 0; i < 20000; ++i) EXPECT_EQ(copies[i], "key " + std::to_string(i));
  EXPECT_EQ(arena.CopyBytes("").size(), 0u);
  EXPECT_GE(arena.bytes_reserved(), arena.bytes_used());
  EXPECT_LE(arena.bytes_reserved(), 4 * arena.bytes_used());
}

TEST(ArenaTest, StartsSmall) {
  Arena arena;
  arena.CopyBytes("x");
  EXPECT_EQ(arena.bytes_used(), 1u);
  EXPECT_EQ(arena.bytes_reserved(), 4096u);
}

TEST(ArenaTest, ALargePieceDoesNotWasteTheCurrentBlock) {
  Arena arena;
  const char* before = arena.CopyBytes("a").data();
  void* const large = arena.Allocate(10 << 20);
  std::memset(large, 1, 10 << 20);
  EXPECT_EQ(arena.CopyBytes("b").data(), before + 1);
}

TEST(ArenaTest, ClearKeepsTheLargestBlockForTheNextRound) {
  Arena arena;
  for (int i = 0; i < 1000; ++i) arena.Allocate(100);
  arena.Clear();
  EXPECT_EQ(arena.bytes_used(), 0u);
  const size_t kept = arena.bytes_reserved();
  EXPECT_GE(kept, 64u << 10);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 300; ++i) arena.Allocate(100);
    EXPECT_EQ(arena.bytes_reserved(), kept);
    arena.Clear();
  }
}

TEST(ArenaTest, MovingKeepsWhatWasAllocated) {
  Arena from;
  const std::string_view text = from.CopyBytes("moved");
  Arena to = std::move(from);
  EXPECT_EQ(text, "moved");
  EXPECT_EQ(to.bytes_used(), 5u);
  EXPECT_EQ(from.bytes_used(), 0u);  // NOLINT(bugprone-use-after-move): it is an empty arena.
  EXPECT_NE(from.CopyBytes("again").data(), text.data());
}

}  // namespace
}  // namespace millrace
