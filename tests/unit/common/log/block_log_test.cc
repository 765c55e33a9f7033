#include "common/log/block_log.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log/segment_reader.h"
#include "common/log/segment_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BlockLogTest : public ::testing::Test {
 protected:
  BlockLogTest() { EXPECT_TRUE(fs_.CreateDirs("/log").ok()); }

  static proto::StoredBlock Block(int64_t sequence) {
    proto::StoredBlock block;
    block.mutable_id()->set_stream_id(3);
    block.mutable_id()->set_sequence(sequence);
    block.set_record_count(sequence * 10);
    block.set_metadata(absl::StrCat("offset ", sequence));
    return block;
  }
  static LogPayload Record(int64_t sequence, const std::vector<std::string>& pieces) {
    std::vector<Buffer> buffers;
    for (const std::string& piece : pieces) buffers.push_back(Buffer::CopyOf(piece));
    return EncodeLoggedBlock(Block(sequence), buffers);
  }
  void Write(int64_t segment, const std::vector<LogPayload>& records) {
    auto writer = SegmentWriter::Create(fs_, "/log", segment);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (const LogPayload& record : records) ASSERT_TRUE(writer->Append(record).ok());
    ASSERT_TRUE(writer->Finish().ok());
  }
  static Buffer Join(const LogPayload& payload) {
    std::string bytes;
    for (const Buffer& piece : payload) bytes += piece.view();
    return Buffer(std::move(bytes));
  }
  static std::vector<int64_t> SequencesOf(const std::vector<proto::StoredBlock>& blocks) {
    std::vector<int64_t> sequences;
    for (const proto::StoredBlock& block : blocks) sequences.push_back(block.id().sequence());
    return sequences;
  }

  MemoryFileSystem fs_;
};

TEST_F(BlockLogTest, WhatIsListedIsOnTheDisk) {
  auto killed = SegmentWriter::Create(fs_, "/log", 1);
  ASSERT_TRUE(killed.ok()) << killed.status();
  ASSERT_TRUE(killed->Append(Record(1, {"a"})).ok());  // And no sync.
  const auto blocks = ListLoggedBlocks(fs_, "/log", 0);
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  ASSERT_THAT(SequencesOf(*blocks), ElementsAre(1));
  fs_.LoseUnsynced();
  EXPECT_TRUE(ReadLoggedBlock(fs_, blocks->front().id()).ok());
}

TEST_F(BlockLogTest, ABlockIsReadInThePiecesInWhichItWasStored) {
  Write(1, {Record(1, {"a\n", "", "bc\r"}), Record(2, {})});
  const auto blocks = ListLoggedBlocks(fs_, "/log", 0);
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  ASSERT_THAT(SequencesOf(*blocks), ElementsAre(1, 2));
  EXPECT_EQ((*blocks)[0].metadata(), "offset 1");
  EXPECT_EQ((*blocks)[0].record_count(), 10);
  const auto buffers = ReadLoggedBlock(fs_, (*blocks)[0].id());
  ASSERT_TRUE(buffers.ok()) << buffers.status();
  ASSERT_EQ(buffers->size(), 3u);
  EXPECT_EQ((*buffers)[0].view(), "a\n");
  EXPECT_EQ((*buffers)[1].view(), "");
  EXPECT_EQ((*buffers)[2].view(), "bc\r");
  const auto none = ReadLoggedBlock(fs_, (*blocks)[1].id());
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(*none, IsEmpty());
}

TEST_F(BlockLogTest, ABlockThatIsThereTwiceIsListedOnce) {
  Write(1, {Record(1, {"a"}), Record(2, {"b"})});
  Write(3, {Record(2, {"b"}), Record(3, {"c"})});
  const auto blocks = ListLoggedBlocks(fs_, "/log", 0);
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  EXPECT_THAT(SequencesOf(*blocks), ElementsAre(1, 2, 3));
  const auto behind = ListLoggedBlocks(fs_, "/log", 2);
  ASSERT_TRUE(behind.ok()) << behind.status();
  EXPECT_THAT(SequencesOf(*behind), ElementsAre(2, 3));
}

TEST_F(BlockLogTest, NoDirectoryHasNoBlocks) {
  const auto blocks = ListLoggedBlocks(fs_, "/other", 0);
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  EXPECT_THAT(*blocks, IsEmpty());
}

TEST_F(BlockLogTest, AnotherBlockInThePlaceIsCorrupt) {
  Write(1, {Record(1, {"a"})});
  const auto blocks = ListLoggedBlocks(fs_, "/log", 0);
  ASSERT_TRUE(blocks.ok() && blocks->size() == 1);
  proto::BlockId id = (*blocks)[0].id();
  id.set_sequence(2);
  const absl::Status status = ReadLoggedBlock(fs_, id).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'/log/log-00000001'"));
}

TEST_F(BlockLogTest, ARecordOfOtherBytesIsRefused) {
  const Buffer whole = Join(Record(1, {"abc", "de"}));
  ASSERT_TRUE(DecodeLoggedBlock(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(DecodeLoggedBlock(whole.Slice(0, size)).ok()) << size;
  }
  EXPECT_FALSE(DecodeLoggedBlock(Buffer(std::string(whole.view()) + "x")).ok());
  // A count of pieces that no record could hold.
  EXPECT_FALSE(DecodeLoggedBlock(Buffer(std::string("\0\xff\xff\xff\xff\x7f", 6))).ok());
  Write(1, {{Buffer::CopyOf("no block at all")}});
  EXPECT_EQ(ListLoggedBlocks(fs_, "/log", 0).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace millrace::internal
