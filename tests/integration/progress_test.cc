// The line of progress on a terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <regex>
#include <string>
#include <vector>

#include "tests/integration/commands.h"
#include "tests/support/printed_batches.h"
#include "tests/support/process.h"
#include "tests/support/tcp_server.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Terminal = Process::Terminal;

class ProgressTest : public ::testing::Test {
 protected:
  Command WordCount(Command settings) {
    settings.insert(settings.begin(), {"localhost", server_.port_text()});
    return Example("network_word_count", settings);
  }
  // What the terminal shows in the end, in one piece. The word `told` was counted.
  std::string ShownAtTheEnd(Process& program, unsigned short columns) {
    EXPECT_TRUE(program.Await(Process::kOut, "(told,1)")) << program.Describe();
    EXPECT_TRUE(program.AwaitText(Process::kOut, [](const std::string& text) {
      return text.find("Batch ", text.find("(told,1)")) != text.npos;
    })) << program.Describe();
    program.Signal(SIGTERM);
    EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
    std::string shown;
    for (const std::string& line : Screen(program.text(Process::kOut), columns)) {
      shown += line + "\n";
    }
    return shown;
  }

  const std::string on_ = Setting("ui.showConsoleProgress=true");
  TcpServer server_;
};

// One that updates: begins with a carriage return, ends without a line feed.
TEST_F(ProgressTest, IsOneLineOnStandardErrorAndNotInTheOutput) {
  Process program(WordCount({on_}), {.terminal = Terminal::kErr});
  TcpPeer peer = server_.Accept();
  peer.Send("told\n");
  const std::regex line(
      "\r\033\\[KBatch [0-9]+ ms: 1 records, delay [0-9.]+ ms, processing [0-9.]+ ms\r");
  EXPECT_TRUE(program.AwaitText(Process::kErr, [&line](const std::string& text) {
    return std::regex_search(text, line);
  })) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  EXPECT_EQ(SumCounts(program.text(Process::kOut))["told"], 1);
  EXPECT_THAT(program.text(Process::kOut), Not(HasSubstr("Batch")));
  EXPECT_THAT(program.text(Process::kOut), Not(HasSubstr("\r")));
}

TEST_F(ProgressTest, LeavesWhatIsPrintedOnTheSameTerminalWhole) {
  Process program(WordCount({on_}), {.terminal = Terminal::kBoth, .columns = 80});
  TcpPeer peer = server_.Accept();
  peer.Send("told\n");
  const std::string shown = ShownAtTheEnd(program, 80);
  const std::string printed = shown.substr(0, shown.find("\nStopping"));
  EXPECT_EQ(SumCounts(printed)["told"], 1) << shown;
  EXPECT_THAT(shown.substr(shown.find("\nStopping")), Not(HasSubstr("Batch"))) << shown;
}

TEST_F(ProgressTest, IsCutToANarrowTerminal) {
  Process program(WordCount({on_}), {.terminal = Terminal::kBoth, .columns = 50});
  TcpPeer peer = server_.Accept();
  peer.Send("told\n");
  const std::string shown = ShownAtTheEnd(program, 50);
  EXPECT_EQ(SumCounts(shown.substr(0, shown.find("\nStopping")))["told"], 1) << shown;
}

TEST_F(ProgressTest, WarningsHaveLinesOfTheirOwn) {
  Process program(WordCount({on_, Setting("streaming.receiverRestartDelay=30ms")}),
                  {.terminal = Terminal::kBoth});
  server_.Accept().Close();
  ASSERT_TRUE(program.AwaitText(Process::kOut, [](const std::string& text) {
    return text.find("Batch ") != text.npos;
  })) << program.Describe();
  server_.Accept().Close();
  TcpPeer peer = server_.Accept();
  peer.Send("told\n");
  const std::string shown = ShownAtTheEnd(program, 200);
  EXPECT_THAT(shown, HasSubstr("closed the connection; starting again in 30 ms\n"));
  EXPECT_FALSE(std::regex_search(shown, std::regex("[^\n]W[0-9]{8} "))) << shown;
}

TEST_F(ProgressTest, WarningsOfFileStreamsHaveLinesOfTheirOwn) {
  Process program(Example("file_word_count", {"/nowhere/at/all", on_}),
                  {.terminal = Terminal::kBoth});
  ASSERT_TRUE(program.AwaitText(Process::kOut, [](const std::string& text) {
    const size_t progress = text.find("Batch ");
    return progress != text.npos && text.find("/nowhere/at/all", progress) != text.npos;
  })) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  for (const std::string& line : Screen(program.text(Process::kOut), 200)) {
    EXPECT_FALSE(std::regex_search(line, std::regex("Batch.*/nowhere|/nowhere.*Batch"))) << line;
    EXPECT_FALSE(std::regex_search(line, std::regex(".W[0-9]{8} "))) << line;
  }
}

TEST_F(ProgressTest, IsNotShownWithoutATerminalOrWhenItIsOff) {
  struct Case {
    Command settings;
    Terminal terminal;
  };
  for (const Case& off : {Case{{on_}, Terminal::kNone}, Case{{}, Terminal::kErr}}) {
    Process program(WordCount(off.settings), {.terminal = off.terminal});
    TcpPeer peer = server_.Accept();
    peer.Send("told\n");
    EXPECT_TRUE(program.Await(Process::kOut, "(told,1)")) << program.Describe();
    program.Signal(SIGTERM);
    EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
    EXPECT_THAT(program.text(Process::kErr), Not(HasSubstr("Batch")));
  }
}

}  // namespace
}  // namespace millrace
