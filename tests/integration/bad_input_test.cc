// Input and settings that are wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/integration/commands.h"
#include "tests/support/printed_batches.h"
#include "tests/support/process.h"
#include "tests/support/tcp_server.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(BadInputTest, ALineThatIsTooLongIsToldAndTheStreamGoesOn) {
  TcpServer server;
  Process program(Example(
      "log_grep", {"127.0.0.1", server.port_text(), "x", Setting("streaming.maxLineBytes=10")}));
  TcpPeer peer = server.Accept();
  peer.Send("x short\nx is ten !\n" + std::string(1000, 'x') + "\nx goes on\n");
  ASSERT_TRUE(program.Await(Process::kOut, "x goes on\n")) << program.Describe();
  EXPECT_TRUE(program.Await(Process::kErr, "line 3 from 127.0.0.1:" + server.port_text() +
                                               ", which begins at byte 19, was left out: it has "
                                               "1000 bytes, the limit is 10"))
      << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0);
  EXPECT_THAT(AllRecords(program.text(Process::kOut)),
              ElementsAre("x short", "x is ten !", "x goes on"));
}

TEST(BadInputTest, AnyBytesPassUntouched) {
  const std::string no_utf8 = "\xff\xfe word \xc3\x28 \xed\xa0\x80";
  const std::string with_nul("word\0 and \0", 11);
  const std::string control = "word \033[2J\007\t\v";
  TempDir directory;
  TcpServer server;
  Process program(
      Example("log_grep", {"localhost", server.port_text(), "word", directory.path() + "/words"}));
  TcpPeer peer = server.Accept();
  const std::string text = no_utf8 + "\n" + with_nul + "\n" + control + "\n";
  peer.Send(text);
  ASSERT_TRUE(program.Await(Process::kOut, text)) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0);
  std::ostringstream saved;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path())) {
    if (entry.path().filename().string().starts_with("part-") && entry.file_size() > 0) {
      saved << std::ifstream(entry.path()).rdbuf();
    }
  }
  EXPECT_EQ(saved.str(), text);
}

// Runs the word count with a setting that it must refuse, and returns what it says.
std::string Refused(const Command& settings) {
  TcpServer server;
  Command arguments = {"localhost", server.port_text()};
  arguments.insert(arguments.end(), settings.begin(), settings.end());
  Process program(Example("network_word_count", arguments));
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_EQ(program.text(Process::kOut), "");
  EXPECT_FALSE(server.HasConnection()) << "something has been started";
  return program.text(Process::kErr);
}

TEST(BadInputTest, AnUnknownMasterIsRefused) {
  EXPECT_THAT(Refused({Setting("master=yarn")}),
              HasSubstr("millrace.master: 'yarn' is not allowed: no such kind of master; write "
                        "local, local[N], local[*]"));
  EXPECT_THAT(Refused({Setting("master=local[0]")}), HasSubstr("millrace.master: 'local[0]'"));
}

TEST(BadInputTest, WrongValuesAreRefusedAllAtOnce) {
  const std::string told =
      Refused({Setting("streaming.blockInterval=soon"), Setting("streaming.concurrentJobs=0"),
               Setting("streaming.maxLineBytes=2g")});
  EXPECT_THAT(told, HasSubstr("millrace.streaming.blockInterval: 'soon' is not allowed; it must be "
                              "a duration"));
  EXPECT_THAT(told, HasSubstr("millrace.streaming.concurrentJobs: '0' is not allowed"));
  EXPECT_THAT(told, HasSubstr("millrace.streaming.maxLineBytes: '2g' is not allowed"));
}

TEST(BadInputTest, WhatIsNoSettingIsWrongUsage) {
  for (const Command& flags : {Command{"--millrace_conf=master"}, Command{"--millrace_conf"}}) {
    Command arguments = {"localhost", "9999"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    Process program(Example("network_word_count", arguments));
    EXPECT_EQ(program.AwaitExit(), 2) << program.Describe();
    EXPECT_THAT(program.text(Process::kErr), HasSubstr("KEY=VALUE"));
  }
}

TEST(BadInputTest, AnUnknownKeyIsAWarningThatNamesTheNearest) {
  TcpServer server;
  Process program(Example("network_word_count", {"localhost", server.port_text(),
                                                 Setting("streaming.blockIntervall=100ms")}));
  TcpPeer peer = server.Accept();
  EXPECT_TRUE(program.Await(Process::kErr,
                            "unknown configuration key millrace.streaming.blockIntervall; did you "
                            "mean millrace.streaming.blockInterval?\n"))
      << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

TEST(BadInputTest, WhatIsWrongInTheProgramIsRefusedWithItsPlace) {
  TempDir directory;
  std::ofstream(directory.path() + "/file") << "no directory";
  Process program(
      Example("stateful_network_word_count", {"", "70000", directory.path() + "/file"}));
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_EQ(program.text(Process::kOut), "");
  const std::string& told = program.text(Process::kErr);
  EXPECT_THAT(told, HasSubstr("INVALID_ARGUMENT: "));
  const std::string file = "stateful_network_word_count.cc:";
  EXPECT_THAT(told, HasSubstr("SocketTextStream at " + file));
  EXPECT_THAT(told, HasSubstr("the host's name is empty"));
  EXPECT_THAT(told, HasSubstr("the port must be 1 to 65535, got 70000"));
  EXPECT_THAT(told, HasSubstr("Checkpoint at " + file));
  EXPECT_THAT(told, HasSubstr(directory.path() + "/file"));
}

}  // namespace
}  // namespace millrace
