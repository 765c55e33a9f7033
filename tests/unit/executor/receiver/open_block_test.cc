#include "executor/receiver/open_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace millrace::internal {
namespace {

void Write(OpenBlock& block, std::string_view bytes) {
  std::memcpy(block.Room(bytes.size()).data(), bytes.data(), bytes.size());
  block.Fill(bytes.size());
}

std::string Text(const BlockContent& content) {
  std::string text;
  for (const Buffer& piece : content.pieces) text += piece.view();
  return text;
}

TEST(OpenBlockTest, ACutTakesWhatIsPublishedAndNoMore) {
  OpenBlock block(100);
  Write(block, "abcdef");
  EXPECT_TRUE(block.Cut().pieces.empty());
  block.Publish(4, 2);
  EXPECT_EQ(block.size_bytes(), 4u);
  const BlockContent content = block.Cut();
  EXPECT_EQ(Text(content), "abcd");
  EXPECT_EQ(content.record_count, 2);
  EXPECT_EQ(content.size_bytes, 4u);
  EXPECT_EQ(block.pending(), "ef");
  EXPECT_EQ(block.size_bytes(), 0u);
  block.Publish(2, 1);
  EXPECT_EQ(Text(block.Cut()), "ef");
}

TEST(OpenBlockTest, PendingBytesMoveWithTheWriterToANewSlab) {
  OpenBlock block(8);
  Write(block, "abcdefg");
  block.Publish(5, 1);
  Write(block, "hijklmnop");
  EXPECT_EQ(block.pending(), "fghijklmnop");
  block.Publish(11, 1);
  EXPECT_EQ(Text(block.Cut()), "abcdefghijklmnop");
}

TEST(OpenBlockTest, SkippedBytesAreInNoBlock) {
  OpenBlock block(100);
  Write(block, "keepskipmore");
  block.Publish(4, 1);
  block.Skip(4);
  block.Publish(4, 1);
  const BlockContent content = block.Cut();
  ASSERT_EQ(content.pieces.size(), 2u);
  EXPECT_EQ(content.pieces[0].view(), "keep");
  EXPECT_EQ(content.pieces[1].view(), "more");
}

TEST(OpenBlockTest, CutBytesStayWhatTheyWere) {
  OpenBlock block(8);
  std::vector<BlockContent> cuts;
  for (int i = 0; i < 100; ++i) {
    Write(block, std::to_string(1000 + i));
    block.Publish(4, 1);
    cuts.push_back(block.Cut());
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Text(cuts[static_cast<size_t>(i)]), std::to_string(1000 + i));
  }
}

TEST(OpenBlockTest, ASlabThatNobodyReadsIsFilledAgain) {
  OpenBlock block(8);
  Write(block, "abcdefg");
  const char* const begin = block.pending().data();
  block.Publish(7, 1);
  block.Cut();
  EXPECT_EQ(block.Room(4).data(), begin);
}

TEST(OpenBlockTest, CutsFromAnotherThreadLoseAndRepeatNothing) {
  OpenBlock block(64);
  std::atomic<bool> done{false};
  std::string cut;
  int64_t records = 0;
  std::thread cutter([&] {
    bool last = false;
    while (!last) {
      last = done.load();
      const BlockContent content = block.Cut();
      cut += Text(content);
      records += content.record_count;
    }
  });
  std::string written;
  for (int i = 0; i < 20000; ++i) {
    const std::string record = std::to_string(i);
    Write(block, record);
    block.Publish(record.size(), 1);
    written += record;
  }
  done = true;
  cutter.join();
  EXPECT_EQ(cut, written);
  EXPECT_EQ(records, 20000);
}

}  // namespace
}  // namespace millrace::internal
