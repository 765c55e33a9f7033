#include "common/memory/buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(BufferTest, IsEmptyByDefault) {
  const Buffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.view(), "");
  EXPECT_EQ(buffer.Slice(0).view(), "");
}

TEST(BufferTest, TakesAStringOverWithoutCopying) {
  std::string text(100, 'x');
  const char* bytes = text.data();
  const Buffer buffer(std::move(text));
  EXPECT_EQ(buffer.data(), bytes);
  EXPECT_EQ(buffer.size(), 100u);
  EXPECT_EQ(Buffer(std::string("short")).view(), "short");
}

TEST(BufferTest, SlicesShareTheMemoryAndAreCutOffAtItsEnd) {
  const Buffer whole = Buffer::CopyOf("hello world");
  const Buffer world = whole.Slice(6);
  EXPECT_EQ(world.view(), "world");
  EXPECT_EQ(world.data(), whole.data() + 6);
  EXPECT_EQ(world.Slice(1, 3).view(), "orl");
  EXPECT_EQ(world.Slice(3, 99).view(), "ld");
  EXPECT_EQ(world.Slice(99, 1).view(), "");
}

TEST(BufferTest, PinsItsOwnerUntilTheLastSliceGoes) {
  auto owner = std::make_shared<std::string>("owned bytes");
  const std::weak_ptr<std::string> alive = owner;
  Buffer slice;
  {
    const std::string_view bytes = *owner;
    const Buffer buffer(bytes, std::move(owner));
    slice = buffer.Slice(6);
  }
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(slice.view(), "bytes");
  slice = Buffer();
  EXPECT_TRUE(alive.expired());
}

TEST(BufferTest, AssigningToItselfKeepsIt) {
  Buffer buffer = Buffer::CopyOf("self");
  const Buffer& same = buffer;
  buffer = same;
  EXPECT_EQ(buffer.view(), "self");
}

TEST(SlabTest, HasNoMemoryByDefault) {
  const Slab slab;
  EXPECT_EQ(slab.capacity(), 0u);
  EXPECT_EQ(slab.data(), nullptr);
  EXPECT_FALSE(slab.unshared());
}

TEST(SlabTest, IsFilledAtItsTailWhileItsFrontIsRead) {
  Slab slab(16);
  ASSERT_EQ(slab.capacity(), 16u);
  std::memcpy(slab.data(), "front", 5);
  const Buffer front = slab.Slice(0, 5);
  std::memcpy(slab.data() + 5, "tail", 4);
  const Buffer tail = slab.Slice(5, 4);
  slab = Slab(8);  // The old memory lives on under its buffers.
  EXPECT_EQ(front.view(), "front");
  EXPECT_EQ(tail.view(), "tail");
}

TEST(SlabTest, MayBeReusedOnceNoBufferIsLeft) {
  const Slab slab(4);
  EXPECT_TRUE(slab.unshared());
  Buffer first = slab.Slice(0, 1);
  const Buffer second = first.Slice(0, 0);  // Empty, but it pins.
  first = Buffer();
  EXPECT_FALSE(slab.unshared());
}

TEST(SlabTest, WritesAfterASliceDoNotRaceWithItsReaders) {
  Slab slab(1 << 16);
  std::vector<std::thread> readers;
  for (size_t offset = 0; offset < 4096; offset += 1024) {
    std::memset(slab.data() + offset, static_cast<int>('a' + offset / 1024), 1024);
    readers.emplace_back([part = slab.Slice(offset, 1024), offset] {
      EXPECT_EQ(part.view(), std::string(1024, static_cast<char>('a' + offset / 1024)));
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_TRUE(slab.unshared());
}

TEST(SlabDeathTest, RefusesASliceBeyondItsCapacity) {
  const Slab slab(4);
  EXPECT_DEATH(slab.Slice(3, 2), "capacity");
  EXPECT_DEATH(slab.Slice(5, 0), "capacity");
}

}  // namespace
}  // namespace millrace
