#include "executor/operator/lines.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/support/fake_task.h"

namespace millrace::internal {
namespace {

using Lines = std::vector<std::string>;

Lines ReferenceLines(const std::string& text) {
  Lines lines;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\n' && text[i] != '\r') continue;
    lines.push_back(text.substr(begin, i - begin));
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    begin = i + 1;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

Lines LinesOfBlocks(const std::vector<std::string>& blocks) {
  FakeTask task;
  FakeNode& node = task.Node<BlockLinesOperator>();
  for (const std::string& block : blocks) node.read_buffers.push_back(Buffer::CopyOf(block));
  Lines lines = task.Run<std::string_view>(node);
  EXPECT_TRUE(task.succeeded) << task.status();
  return lines;
}

TEST(BlockLinesTest, CutsAtEveryKindOfLineEnd) {
  EXPECT_EQ(LinesOfBlocks({"a\nb\rc\r\nd"}), (Lines{"a", "b", "c", "d"}));
  EXPECT_EQ(LinesOfBlocks({"\n\n\r\n"}), (Lines{"", "", ""}));
  EXPECT_EQ(LinesOfBlocks({}), Lines{});
  EXPECT_EQ(LinesOfBlocks({""}), Lines{});
}

TEST(BlockLinesTest, NoLineReachesIntoTheNextBlock) {
  EXPECT_EQ(LinesOfBlocks({"a\nb", "c\n", "", "d"}), (Lines{"a", "b", "c", "d"}));
}

TEST(BlockLinesTest, ALineEndAtAnyPositionOfAScan) {
  // The scan goes by blocks of 64 bytes and windows of 4096.
  for (const size_t position :
       {0, 1, 62, 63, 64, 65, 127, 128, 4094, 4095, 4096, 4097, 8191, 8192}) {
    for (const char* const end : {"\n", "\r", "\r\n", "\r\r", "\n\r"}) {
      std::string text(9000, 'x');
      text.replace(position, std::string(end).size(), end);
      EXPECT_EQ(LinesOfBlocks({text}), ReferenceLines(text)) << position;
    }
  }
}

TEST(BlockLinesTest, AgreesWithTheDefinitionOnRandomText) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 400, 'a');
    for (char& c : text) c = "ab\r\n\n\r"[random() % (round % 2 == 0 ? 6 : 4)];
    ASSERT_EQ(LinesOfBlocks({text}), ReferenceLines(text)) << "round " << round;
  }
}

TEST(BlockLinesTest, AMissingBlockFailsTheTask) {
  FakeTask task;
  FakeNode& node = task.Node<BlockLinesOperator>();
  node.service_status = absl::NotFoundError("block 3 of stream 1");
  task.Run<std::string_view>(node);
  EXPECT_FALSE(task.succeeded);
  EXPECT_EQ(task.status().code(), absl::StatusCode::kNotFound);
}

TEST(BlockLinesTest, ASinkOfAnotherTypeIsRefused) {
  FakeTask task;
  task.Run<int>(task.Node<BlockLinesOperator>());
  EXPECT_EQ(task.status().code(), absl::StatusCode::kInternal);
}

TEST(LineCutterTest, SaysWhereTheUnfinishedLineBegins) {
  FakeTask task;
  Collected<std::string_view> sink(task.Node<BlockLinesOperator>(), false, 100);
  LineCutter cutter(sink);
  size_t consumed = 99;
  EXPECT_TRUE(cutter.Cut("no end", &consumed));
  EXPECT_EQ(consumed, 0u);
  EXPECT_TRUE(cutter.Cut("one\r\ntwo\nrest", &consumed));
  EXPECT_EQ(consumed, 9u);
  EXPECT_TRUE(cutter.Cut("ended\r", &consumed));
  EXPECT_EQ(consumed, 6u);
  EXPECT_TRUE(cutter.Flush());
  EXPECT_EQ(sink.Take(), (Lines{"one", "two", "ended"}));
}

}  // namespace
}  // namespace millrace::internal
