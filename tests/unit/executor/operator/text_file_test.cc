#include "executor/operator/text_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "tests/support/fake_task.h"

namespace millrace::internal {
namespace {

using ::testing::HasSubstr;

// The definition, one byte at a time: where each line begins, and what it is.
std::vector<std::pair<int64_t, std::string>> ReferenceLines(const std::string& text) {
  std::vector<std::pair<int64_t, std::string>> lines;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\n' && text[i] != '\r') continue;
    lines.emplace_back(begin, text.substr(begin, i - begin));
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    begin = i + 1;
  }
  if (begin < text.size()) lines.emplace_back(begin, text.substr(begin));
  return lines;
}

std::vector<std::string> ReferenceSplit(const std::string& text, int64_t offset, int64_t length) {
  std::vector<std::string> lines;
  for (const auto& [begin, line] : ReferenceLines(text)) {
    if (begin >= offset && begin < offset + length) lines.push_back(line);
  }
  return lines;
}

class TextFileTest : public ::testing::Test {
 protected:
  TextFileTest()
      : path_(::testing::TempDir() + "text_file_test." +
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {}
  ~TextFileTest() override { std::filesystem::remove(path_); }

  void Write(const std::string& text) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
  }

  std::vector<std::string> Read(int64_t offset, int64_t length, bool keeps_views = false) {
    FakeTask task;
    FakeNode& node = task.Node<TextFileOperator>();
    node.split = EncodeToString(TextFileSplit{path_, offset, length});
    auto lines = task.Run<std::string_view>(node, keeps_views);
    EXPECT_TRUE(task.succeeded) << task.status();
    return lines;
  }

  absl::Status ReadError(const TextFileSplit& split) {
    FakeTask task;
    FakeNode& node = task.Node<TextFileOperator>();
    node.split = EncodeToString(split);
    task.Run<std::string_view>(node);
    EXPECT_FALSE(task.succeeded);
    return task.status();
  }

  const std::string path_;
};

using Lines = std::vector<std::string>;

TEST_F(TextFileTest, EveryLineEndEndsALine) {
  const std::string text = "unix\nmac\rdos\r\n\n\r\r\n\n\rlast";
  Write(text);
  const Lines expected{"unix", "mac", "dos", "", "", "", "", "", "last"};
  EXPECT_EQ(Read(0, static_cast<int64_t>(text.size())), expected);
}

TEST_F(TextFileTest, TheLastLineMayLackItsEnd) {
  Write("a\nb");
  EXPECT_EQ(Read(0, 3), (Lines{"a", "b"}));
  Write("a\nb\n");
  EXPECT_EQ(Read(0, 4), (Lines{"a", "b"}));
}

TEST_F(TextFileTest, AnEmptyFileHasNoLine) {
  Write("");
  EXPECT_EQ(Read(0, 0), Lines{});
}

TEST_F(TextFileTest, OtherBytesPassThrough) {
  const std::string text = std::string("nul\0here", 8) + "\n\xff\xfe broken utf-8";
  Write(text);
  EXPECT_EQ(Read(0, static_cast<int64_t>(text.size())),
            (Lines{std::string("nul\0here", 8), "\xff\xfe broken utf-8"}));
}

TEST_F(TextFileTest, EverySplitOfASmallFileHasTheLinesThatBeginInIt) {
  const std::string text = "a\r\n\r\nbc\n\rd\r\r\n\nef\ngh";
  Write(text);
  const auto size = static_cast<int64_t>(text.size());
  for (int64_t offset = 0; offset <= size; ++offset) {
    for (int64_t length = 0; offset + length <= size; ++length) {
      EXPECT_EQ(Read(offset, length), ReferenceSplit(text, offset, length))
          << "offset " << offset << " length " << length;
    }
  }
}

TEST_F(TextFileTest, SplitsOfRandomTextsGiveEachLineOnce) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 30; ++round) {
    std::string text;
    // Lines around the size of a read, and runs of line ends.
    while (text.size() < 700'000) {
      const char* const ends[] = {"\n", "\r", "\r\n", "\n\n", "\r\r\n"};
      const size_t longest = random() % 8 == 0 ? 300'000 : 90'000;
      text += std::string(random() % longest, static_cast<char>('a' + random() % 26));
      text += ends[random() % 5];
    }
    Write(text);
    const auto size = static_cast<int64_t>(text.size());
    Lines joined;
    int64_t offset = 0;
    while (offset < size) {
      const int64_t length = std::min<int64_t>(size - offset, 1 + random() % 400'000);
      const Lines part = Read(offset, length, /*keeps_views=*/round % 2 == 0);
      ASSERT_EQ(part, ReferenceSplit(text, offset, length)) << "round " << round;
      joined.insert(joined.end(), part.begin(), part.end());
      offset += length;
    }
    EXPECT_EQ(joined, ReferenceSplit(text, 0, size));
  }
}

TEST_F(TextFileTest, LineEndsAroundTheEdgeOfARead) {
  constexpr size_t kRead = 256 * 1024;
  for (const char* const end : {"\n", "\r", "\r\n", "\r\n\r\n", "\n\r"}) {
    for (int shift = -3; shift <= 3; ++shift) {
      const std::string text =
          std::string(kRead + static_cast<size_t>(shift + 3) - 3, 'x') + end + "y" + end + "z";
      Write(text);
      const auto size = static_cast<int64_t>(text.size());
      EXPECT_EQ(Read(0, size), ReferenceSplit(text, 0, size)) << shift;
    }
  }
}

TEST_F(TextFileTest, ViewsThatAreKeptStayValid) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "line " + std::to_string(i) + "\n";
  Write(text);
  const auto size = static_cast<int64_t>(text.size());
  EXPECT_EQ(Read(0, size, /*keeps_views=*/true), ReferenceSplit(text, 0, size));
}

TEST_F(TextFileTest, StopsWhenTheSinkHasEnough) {
  Write("a\nb\nc\n");
  FakeTask task;
  FakeNode& node = task.Node<TextFileOperator>();
  node.split = EncodeToString(TextFileSplit{path_, 0, 6});
  EXPECT_EQ(task.Run<std::string_view>(node, false, /*stop_after=*/2), (Lines{"a", "b"}));
  EXPECT_FALSE(task.succeeded);
  EXPECT_FALSE(task.failed());
}

TEST_F(TextFileTest, ACancelledTaskStops) {
  Write(std::string(600'000, '\n'));
  FakeTask task;
  task.is_cancelled = true;
  FakeNode& node = task.Node<TextFileOperator>();
  node.split = EncodeToString(TextFileSplit{path_, 0, 600'000});
  EXPECT_LT(task.Run<std::string_view>(node).size(), 600'000u);
  EXPECT_FALSE(task.succeeded);
}

TEST_F(TextFileTest, AMissingFileIsNamed) {
  const absl::Status error = ReadError({path_ + ".missing", 0, 1});
  EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(error.message()), HasSubstr(path_ + ".missing"));
}

TEST_F(TextFileTest, AFileThatHasBecomeShorterIsDataLoss) {
  Write("short");
  const absl::Status error = ReadError({path_, 0, 100});
  EXPECT_EQ(error.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(error.message()), HasSubstr("shorter"));
  EXPECT_EQ(ReadError({path_, 90, 10}).code(), absl::StatusCode::kDataLoss);
}

TEST_F(TextFileTest, ASplitThatIsNoneIsRefused) {
  Write("text");
  EXPECT_EQ(ReadError({path_, -1, 2}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ReadError({path_, 0, -2}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ReadError({path_, 1, INT64_MAX}).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace millrace::internal
