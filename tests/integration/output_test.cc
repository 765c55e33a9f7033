// Files and directories: what exists already, what is full, what cannot be read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "tests/integration/commands.h"
#include "tests/support/child_limits.h"
#include "tests/support/printed_batches.h"
#include "tests/support/process.h"
#include "tests/support/tcp_server.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

constexpr int kSmallDiskBytes = 64 << 10;

class OutputTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
    return Path(name);
  }
  // All files of an output directory, as "name: text".
  std::set<std::string> FilesOf(const std::string& name) const {
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(Path(name))) {
      std::ostringstream text;
      if (entry.file_size() > 0) text << std::ifstream(entry.path()).rdbuf();
      files.insert(entry.path().filename().string() + ": " + text.str());
    }
    return files;
  }
  Process::Options OnSmallDisk() const {
    Process::Options options;
    options.before = SmallDisk(directory_.path(), kSmallDiskBytes);
    return options;
  }

  TempDir directory_;
};

TEST_F(OutputTest, AnExistingDirectoryIsAnErrorExceptForABatch) {
  Process program(Program("save_again", {directory_.path()}));
  EXPECT_EQ(program.NextLine(Process::kOut), "OK");
  const std::string error = program.NextLine(Process::kOut).value_or("");
  EXPECT_THAT(error, ::testing::StartsWith("ALREADY_EXISTS: SaveAsTextFile at save_again.cc:"));
  EXPECT_THAT(error, HasSubstr(Path("batch")));
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();

  EXPECT_EQ(FilesOf("batch"), (std::set<std::string>{"_SUCCESS: ", "part-00000: one\n"}));
  EXPECT_EQ(FilesOf("latest"), (std::set<std::string>{"_SUCCESS: ", "part-00000: one\n"}));
  std::multiset<std::string> parts;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    const std::string name = entry.path().filename().string();
    EXPECT_FALSE(name.starts_with('.')) << "left behind: " << name;
    if (!name.starts_with("stream-")) continue;
    const std::set<std::string> files = FilesOf(name);
    EXPECT_TRUE(files.contains("_SUCCESS: "));
    EXPECT_FALSE(files.contains("part-00099: old\n")) << name;
    if (files.contains("part-00000: one\n")) parts.insert("one");
    if (files.contains("part-00000: two\n")) parts.insert("two");
  }
  EXPECT_EQ(parts, (std::multiset<std::string>{"one", "one", "two"}));
}

TEST_F(OutputTest, AFileThatCannotBeReadIsNamed) {
  const std::string secret = Write("secret.txt", "to be\n");
  ASSERT_EQ(chmod(secret.c_str(), 0), 0);
  const auto expect_error = [this](const std::string& path, const std::string& why) {
    Process program(Program("batch_word_count", {path, Path("counts")}), {.before = ObeyFileModes});
    EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
    EXPECT_THAT(program.text(Process::kErr), HasSubstr(path));
    EXPECT_THAT(program.text(Process::kErr), HasSubstr(why));
    EXPECT_FALSE(std::filesystem::exists(Path("counts")));
  };
  expect_error(secret, "Permission denied");
  expect_error(Path("missing.txt"), "NOT_FOUND");
}

TEST_F(OutputTest, AnOutputDirectoryThatCannotBeMadeIsNamed) {
  const std::string text = Write("text.txt", "to be\n");
  Process program(Program("batch_word_count", {text, text + "/counts"}));
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_THAT(program.text(Process::kErr), HasSubstr(text + "/"));
}

TEST_F(OutputTest, AFileThatCannotBeReadIsPassedOverByAStream) {
  std::filesystem::create_directory(Path("incoming"));
  Process program(Example("file_word_count", {Path("incoming")}), {.before = ObeyFileModes});
  ASSERT_TRUE(program.AwaitText(Process::kOut, [](const std::string& text) {
    return !ParsePrinted(text).empty();
  })) << program.Describe();
  ASSERT_EQ(chmod(Write("secret.txt", "secret\n").c_str(), 0), 0);
  Write("text.txt", "to be\n");
  std::filesystem::rename(Path("secret.txt"), Path("incoming/secret.txt"));
  std::filesystem::rename(Path("text.txt"), Path("incoming/text.txt"));
  EXPECT_TRUE(program.Await(Process::kOut, "(be,1)")) << program.Describe();
  EXPECT_TRUE(program.AwaitText(Process::kErr, [this](const std::string& text) {
    const size_t path = text.find(Path("incoming/secret.txt"));
    return path != text.npos && text.find("Permission denied", path) != text.npos;
  })) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  EXPECT_EQ(SumCounts(program.text(Process::kOut)).count("secret"), 0u);
}

#define SKIP_IF_NOT_RUN(program)                              \
  if ((program).AwaitExit() == Process::kNotRun) {            \
    GTEST_SKIP() << "no tmpfs can be mounted on this system"; \
  }

// More than the small disk holds, when each word is one of its own.
std::string ManyWords() {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "word-" + std::to_string(i) + "\n";
  return text;
}

TEST_F(OutputTest, AFullDiskEndsABatchJobWithTheFilesName) {
  TempDir elsewhere;
  const std::string text = elsewhere.path() + "/text.txt";
  std::ofstream(text) << ManyWords();
  Process program(Program("batch_word_count", {text, Path("counts")}), OnSmallDisk());
  SKIP_IF_NOT_RUN(program);
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("SaveAsTextFile at batch_word_count.cc:"));
  EXPECT_THAT(program.text(Process::kErr), HasSubstr(directory_.path() + "/"));
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("No space left on device"));
}

TEST_F(OutputTest, AFullDiskEndsAStreamWithTheFilesName) {
  TcpServer server;
  Process program(Example("log_grep", {"localhost", server.port_text(), "word", Path("words")}),
                  OnSmallDisk());
  if (!program.Await(Process::kOut, "Time: ")) SKIP_IF_NOT_RUN(program);
  TcpPeer peer = server.Accept();
  peer.Send(ManyWords());
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("SaveAsTextFiles at log_grep.cc:"));
  EXPECT_THAT(program.text(Process::kErr), HasSubstr(directory_.path() + "/"));
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("No space left on device"));
}

TEST_F(OutputTest, AFullDiskFailsWhatIsCachedOnItByName) {
  Process program(Program("cached_numbers", {Setting("local.dir=" + directory_.path())}),
                  OnSmallDisk());
  SKIP_IF_NOT_RUN(program);
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("No space left on device"));
  EXPECT_THAT(program.text(Process::kErr), HasSubstr(directory_.path() + "/"));
}

TEST_F(OutputTest, FullStandardOutputEndsAStream) {
  TcpServer server;
  Process program(Example("network_word_count", {"localhost", server.port_text()}),
                  {.out_path = "/dev/full"});
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("standard output: No space left on device"));
}

}  // namespace
}  // namespace millrace
