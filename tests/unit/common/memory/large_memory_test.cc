#include "common/memory/large_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace millrace::internal {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(LargeMemoryTest, AnySizeIsThereAndAligned) {
  for (const size_t bytes :
       {size_t{1}, size_t{100}, 2 * kMiB - 1, 2 * kMiB, 2 * kMiB + 1, 5 * kMiB}) {
    char* const memory = static_cast<char*>(AllocateLarge(bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % kLargeMemoryAlign, 0u) << bytes;
    std::memset(memory, 0x5a, bytes);
    EXPECT_EQ(memory[0], 0x5a);
    EXPECT_EQ(memory[bytes - 1], 0x5a);
    FreeLarge(memory, bytes);
  }
  FreeLarge(nullptr, 5 * kMiB);
}

TEST(LargeMemoryTest, PiecesInUseAreApart) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int round = 0; round < 4; ++round) {
        LargeVector<int> numbers(kMiB / 2);
        std::iota(numbers.begin(), numbers.end(), t);
        LargeVector<int> others(kMiB / 2, -1);
        EXPECT_EQ(numbers.front(), t);
        EXPECT_EQ(numbers.back(), t + static_cast<int>(kMiB / 2) - 1);
        EXPECT_EQ(others[kMiB / 4], -1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Sanitizers have all memory, small and large, from `new`, and end the program when it is too much.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST(LargeMemoryTest, TooMuchIsBadAlloc) {
  EXPECT_THROW(AllocateLarge(SIZE_MAX), std::bad_alloc);
  EXPECT_THROW(AllocateLarge(SIZE_MAX - 3 * kMiB), std::bad_alloc);
  EXPECT_THROW(LargeAllocator<int64_t>().allocate(SIZE_MAX / 2), std::bad_alloc);
}

TEST(LargeMemoryTest, WhatWasFreedComesAgain) {
  void* const first = AllocateLarge(7 * kMiB);
  FreeLarge(first, 7 * kMiB);
  void* const second = AllocateLarge(7 * kMiB);
  EXPECT_EQ(second, first);
  FreeLarge(second, 7 * kMiB);
}

TEST(LargeMemoryTest, NoMoreThanABoundIsKept) {
  constexpr size_t kPieces = 3;
  constexpr size_t kPieceBytes = 64 * kMiB;
  const size_t before = ResidentBytes();
  std::vector<void*> pieces;
  for (size_t i = 0; i < kPieces; ++i) {
    pieces.push_back(AllocateLarge(kPieceBytes));
    std::memset(pieces.back(), 1, kPieceBytes);
  }
  EXPECT_GE(ResidentBytes(), before + kPieces * kPieceBytes / 2);
  for (void* const piece : pieces) FreeLarge(piece, kPieceBytes);
  EXPECT_LE(ResidentBytes(), before + 160 * kMiB);
}

#endif

// -------------------------------------------------------------------------------------------------
// Containers.

struct alignas(256) Wide {
  char bytes[256];
};

TEST(LargeVectorTest, HoldsAnyType) {
  LargeVector<std::string> texts(3, "text");
  texts.resize(100'000, "more");
  EXPECT_EQ(texts[2], "text");
  EXPECT_EQ(texts.back(), "more");
  LargeVector<bool> flags(1000, true);
  EXPECT_TRUE(flags[999]);
  const LargeVector<Wide> wide(3);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(wide.data()) % alignof(Wide), 0u);
}

TEST(LargeArrayTest, MakesMovesAndDestroysItsElements) {
  static int living = 0;
  struct Counted {
    Counted() { ++living; }
    ~Counted() { --living; }
    int value = 7;
  };
  {
    LargeArray<Counted> array(1000);
    EXPECT_EQ(living, 1000);
    EXPECT_EQ(array.size(), 1000u);
    array[5].value = 8;
    LargeArray<Counted> moved = std::move(array);
    EXPECT_EQ(moved[5].value, 8);
    EXPECT_EQ(moved.data()[6].value, 7);
    moved = LargeArray<Counted>(10);
    EXPECT_EQ(living, 10);
  }
  EXPECT_EQ(living, 0);
  const LargeArray<int> none;
  EXPECT_EQ(none.data(), nullptr);
  EXPECT_EQ(LargeArray<int>(0).size(), 0u);
}

TEST(LargeArrayTest, AnElementThatThrowsLeavesNothingBehind) {
  static int made = 0;
  struct Throwing {
    Throwing() {
      if (++made == 5) throw std::runtime_error("no");
    }
  };
  EXPECT_THROW(LargeArray<Throwing>(10), std::runtime_error);
}

}  // namespace
}  // namespace millrace::internal
