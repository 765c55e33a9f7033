#include "executor/receiver/line_framer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The rule, written down once more in the plainest way.
std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  std::string line;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\n' && text[i] != '\r') {
      line.push_back(text[i]);
      continue;
    }
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    lines.push_back(std::exchange(line, ""));
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

// Connections whose bytes arrive as the test says, and the blocks that are cut meanwhile.
class LineFramerTest : public ::testing::Test {
 protected:
  explicit LineFramerTest(size_t slab_bytes = 64) : block_(slab_bytes) {}

  LineFramer MakeFramer() {
    return LineFramer(
        block_, line_bytes_max_,
        [this](size_t bytes, int64_t lines) {
          largest_publish_ = std::max(largest_publish_, lines);
          block_.Publish(bytes, lines);
        },
        [this] { return lines_at_once_; },
        [this](const OversizedLine& line) { oversized_.push_back(line); });
  }

  void Arrive(LineFramer& framer, std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(block_.Room(bytes.size()).data(), bytes.data(), bytes.size());
    block_.Fill(bytes.size());
    framer.Take();
  }

  void Cut() {
    BlockContent content = block_.Cut();
    size_t bytes = 0;
    size_t lines = 0;
    for (const Buffer& piece : content.pieces) {
      ASSERT_FALSE(piece.empty());
      ASSERT_TRUE(piece.view().back() == '\n' || piece.view().back() == '\r') << piece.view();
      const std::vector<std::string> found = Lines(piece.view());
      lines += found.size();
      bytes += piece.size();
      lines_.insert(lines_.end(), found.begin(), found.end());
    }
    EXPECT_EQ(content.size_bytes, bytes);
    EXPECT_EQ(content.record_count, static_cast<int64_t>(lines));
  }

  // The lines of all cuts so far.
  std::vector<std::string> TakeLines() {
    Cut();
    return std::exchange(lines_, {});
  }

  OpenBlock block_;
  int64_t line_bytes_max_ = 1000;
  int64_t lines_at_once_ = std::numeric_limits<int64_t>::max();
  int64_t largest_publish_ = 0;
  std::vector<OversizedLine> oversized_;
  std::vector<std::string> lines_;
};

constexpr std::string_view kTexts[] = {
    "one\ntwo\nthree\n",
    "one\r\ntwo\r\n\r\nfour",
    "\r\r\n\n\r\n\r",
    "a\rb\rc",
    "\n\n\nx\n",
    "no end",
    "",
    std::string_view("nul\0byte\n\xff\xfe\n", 12),
};

TEST_F(LineFramerTest, FindsTheSameLinesWhereverTheStreamIsSplit) {
  for (const std::string_view text : kTexts) {
    for (size_t split = 0; split <= text.size(); ++split) {
      for (const bool cut_between : {false, true}) {
        LineFramer framer = MakeFramer();
        Arrive(framer, text.substr(0, split));
        if (cut_between) Cut();
        Arrive(framer, text.substr(split));
        framer.End();
        EXPECT_EQ(TakeLines(), Lines(text)) << text << " split at " << split;
      }
    }
  }
}

TEST_F(LineFramerTest, FindsTheSameLinesInReadsOfAnySize) {
  for (const std::string_view text : kTexts) {
    for (size_t read = 1; read <= 5; ++read) {
      for (const bool cut_often : {false, true}) {
        LineFramer framer = MakeFramer();
        for (size_t begin = 0; begin < text.size(); begin += read) {
          Arrive(framer, text.substr(begin, read));
          if (cut_often) Cut();
        }
        framer.End();
        EXPECT_EQ(TakeLines(), Lines(text)) << text << " read by " << read;
      }
    }
  }
}

TEST_F(LineFramerTest, PublishesALineAsSoonAsItsEndIsThere) {
  LineFramer framer = MakeFramer();
  Arrive(framer, "first\nsec");
  EXPECT_THAT(TakeLines(), ElementsAre("first"));
  Arrive(framer, "ond\r");
  EXPECT_THAT(TakeLines(), ElementsAre("second"));
  Arrive(framer, "\n");
  EXPECT_THAT(TakeLines(), IsEmpty());
}

TEST_F(LineFramerTest, AConnectionDoesNotContinueALineOfTheOneBefore) {
  LineFramer first = MakeFramer();
  Arrive(first, "unfinished");
  first.End();
  LineFramer second = MakeFramer();
  Arrive(second, "new\r");
  second.End();
  LineFramer third = MakeFramer();
  Arrive(third, "\nlast\n");
  third.End();
  EXPECT_THAT(TakeLines(), ElementsAre("unfinished", "new", "", "last"));
}

TEST_F(LineFramerTest, ALineThatIsBrokenOffIsNoLine) {
  LineFramer framer = MakeFramer();
  Arrive(framer, "whole\nunfin");
  Arrive(framer, "ished");
  EXPECT_EQ(framer.Abandon(), 10u);
  LineFramer next = MakeFramer();
  Arrive(next, "new\n");
  EXPECT_EQ(next.Abandon(), 0u);
  EXPECT_THAT(TakeLines(), ElementsAre("whole", "new"));
}

TEST_F(LineFramerTest, ATooLongLineThatIsBrokenOffIsToldOnce) {
  line_bytes_max_ = 5;
  LineFramer framer = MakeFramer();
  Arrive(framer, "whole\n1234567");
  EXPECT_EQ(framer.Abandon(), 0u);
  EXPECT_THAT(TakeLines(), ElementsAre("whole"));
  ASSERT_EQ(oversized_.size(), 1u);
  EXPECT_FALSE(oversized_[0].complete);
}

TEST_F(LineFramerTest, KeepsLinesThatAreLongerThanASlab) {
  const std::string line(900, 'x');
  LineFramer framer = MakeFramer();
  for (size_t begin = 0; begin < line.size(); begin += 7) Arrive(framer, line.substr(begin, 7));
  Arrive(framer, "\nshort\n");
  EXPECT_THAT(TakeLines(), ElementsAre(line, "short"));
  EXPECT_THAT(oversized_, IsEmpty());
}

TEST_F(LineFramerTest, LeavesLinesOutThatAreTooLongAndSaysWhich) {
  line_bytes_max_ = 5;
  const std::string text = "12345\n123456\r\nabc\nabcdefghij\n\n1234567";
  for (size_t split = 0; split <= text.size(); ++split) {
    for (size_t second = split; second <= text.size(); ++second) {
      oversized_.clear();
      LineFramer framer = MakeFramer();
      Arrive(framer, std::string_view(text).substr(0, split));
      Arrive(framer, std::string_view(text).substr(split, second - split));
      Arrive(framer, std::string_view(text).substr(second));
      framer.End();
      EXPECT_THAT(TakeLines(), ElementsAre("12345", "abc", "")) << split << " " << second;
      ASSERT_EQ(oversized_.size(), 3u) << split << " " << second;
      EXPECT_EQ(oversized_[0].line_number, 2);
      EXPECT_EQ(oversized_[0].offset, 6);
      EXPECT_EQ(oversized_[0].bytes, 6);
      EXPECT_TRUE(oversized_[0].complete);
      EXPECT_EQ(oversized_[1].line_number, 4);
      EXPECT_EQ(oversized_[1].offset, 18);
      EXPECT_EQ(oversized_[1].bytes, 10);
      EXPECT_EQ(oversized_[2].line_number, 6);
      EXPECT_EQ(oversized_[2].offset, 30);
      EXPECT_EQ(oversized_[2].bytes, 7);
      EXPECT_FALSE(oversized_[2].complete);
    }
  }
}

TEST_F(LineFramerTest, AnEndlessLineTakesNoMoreMemoryThanTheLimit) {
  line_bytes_max_ = 100;
  LineFramer framer = MakeFramer();
  const std::string part(50, 'x');
  for (int i = 0; i < 10000; ++i) Arrive(framer, part);
  EXPECT_LE(block_.Room(1).size(), 4096u);
  Arrive(framer, "\nnext\n");
  EXPECT_THAT(TakeLines(), ElementsAre("next"));
  ASSERT_EQ(oversized_.size(), 1u);
  EXPECT_EQ(oversized_[0].bytes, 500000);
}

TEST_F(LineFramerTest, PublishesNoMoreLinesAtOnceThanTheRateAllows) {
  lines_at_once_ = 3;
  LineFramer framer = MakeFramer();
  Arrive(framer, "1\n2\n3\n4\n5\n6\n7\n8\n");
  EXPECT_EQ(largest_publish_, 3);
  EXPECT_THAT(TakeLines(), ElementsAre("1", "2", "3", "4", "5", "6", "7", "8"));
}

}  // namespace
}  // namespace millrace::internal
