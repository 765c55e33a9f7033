// The word count as a process: what it prints, how it stops, how it connects again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <optional>
#include <string>
#include <thread>

#include "tests/integration/commands.h"
#include "tests/support/printed_batches.h"
#include "tests/support/process.h"
#include "tests/support/tcp_server.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using Counts = std::map<std::string, int64_t>;

Command WordCount(const TcpServer& server, Command settings = {}) {
  settings.insert(settings.begin(), {"127.0.0.1", server.port_text()});
  return Example("network_word_count", settings);
}

bool AwaitCounts(Process& program, const Counts& counts) {
  return program.AwaitText(
      Process::kOut, [&counts](const std::string& text) { return SumCounts(text) == counts; });
}

// The documented form, written down once more.
std::string Print(const std::vector<PrintedBatch>& batches) {
  std::string text;
  for (const PrintedBatch& batch : batches) {
    text += "-------------------------------------------\n";
    text += "Time: " + std::to_string(batch.time_ms) + " ms\n";
    text += "-------------------------------------------\n";
    for (const std::string& record : batch.records) text += record + "\n";
    if (batch.has_more) text += "...\n";
    text += "\n";
  }
  return text;
}

TEST(NetworkWordCountTest, CountsATextExactlyAndPrintsItAsDocumented) {
  TcpServer server;
  Process program(WordCount(server));
  TcpPeer peer = server.Accept();

  peer.Send("to be or\nnot to be\r\n");
  ASSERT_TRUE(AwaitCounts(program, {{"to", 2}, {"be", 2}, {"or", 1}, {"not", 1}}))
      << program.Describe();
  std::string much;
  for (int i = 0; i < 10'000; ++i) much += "to be\n";
  peer.Send(much);
  ASSERT_TRUE(AwaitCounts(program, {{"to", 10'002}, {"be", 10'002}, {"or", 1}, {"not", 1}}))
      << program.Describe();
  peer.Send("1 2 3 4 5 6 7 8 9 10 11 12\n");  // In one batch, for it is one line.
  ASSERT_TRUE(program.Await(Process::kOut, "...\n\n")) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();

  const std::string& output = program.text(Process::kOut);
  const std::vector<PrintedBatch> batches = ParsePrinted(output);
  EXPECT_EQ(output, Print(batches));
  int with_more = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    EXPECT_EQ(batches[i].time_ms, batches[0].time_ms + static_cast<int64_t>(i) * 1000);
    if (batches[i].has_more) {
      ++with_more;
      EXPECT_EQ(batches[i].records.size(), 10u);
    }
  }
  EXPECT_EQ(batches[0].time_ms % 1000, 0);
  EXPECT_EQ(with_more, 1);
}

TEST(NetworkWordCountTest, SigtermStopsItWhenAllThatCameIsCounted) {
  TcpServer server;
  Process program(WordCount(server));
  TcpPeer peer = server.Accept();
  std::string lines;
  for (int i = 0; i < 5'000; ++i) lines += "hello world\n";
  peer.Send(lines);
  peer.AwaitRead();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  EXPECT_THAT(SumCounts(program.text(Process::kOut)),
              ElementsAre(Pair("hello", 5'000), Pair("world", 5'000)));
  EXPECT_EQ(program.text(Process::kErr),
            "\nStopping: what was received is still processed. Once more to stop at once.\n");
}

// Whatever the moment at which it stops: what it has counted is what was sent up to some line.
TEST(NetworkWordCountTest, SigintInTheMiddleOfAStreamStopsItBetweenTwoLines) {
  TcpServer server;
  std::optional<Process> program;
  program.emplace(WordCount(server, {Setting("streaming.receiver.maxRate=20000"),
                                     Setting("streaming.gracefulStopTimeout=30s")}));
  TcpPeer peer = server.Accept();
  std::thread sender([&peer] {
    std::string lines;
    for (int i = 0; i < 1'000; ++i) lines += "word-" + std::to_string(i % 10) + "\n";
    while (peer.TrySend(lines)) {
    }
  });
  EXPECT_TRUE(program->Await(Process::kOut, "(word-")) << program->Describe();
  program->Signal(SIGINT);
  EXPECT_EQ(program->AwaitExit(), 0) << program->Describe();
  const Counts counts = SumCounts(program->text(Process::kOut));
  program.reset();  // Now there is nobody left to send to.
  sender.join();

  int64_t total = 0;
  for (const auto& [word, count] : counts) total += count;
  Counts of_a_beginning;
  for (int64_t i = 0; i < 10; ++i) {
    of_a_beginning["word-" + std::to_string(i)] = (total + 9 - i) / 10;
  }
  EXPECT_EQ(counts, of_a_beginning);
}

// Starts what does not end gracefully, and sends it the first signal.
void StartToStop(std::optional<Process>& program, const std::string& what) {
  program.emplace(Program("endless_batch", {what, Setting("streaming.gracefulStopTimeout=1h")}));
  ASSERT_TRUE(program->Await(Process::kOut, "working")) << program->Describe();
  program->Signal(SIGTERM);
  ASSERT_TRUE(program->Await(Process::kErr, "Once more to stop at once.\n")) << program->Describe();
}

TEST(NetworkWordCountTest, ASecondSignalStopsAtOnce) {
  for (const int second : {SIGTERM, SIGINT}) {
    std::optional<Process> program;
    StartToStop(program, "worker");
    program->Signal(second);
    EXPECT_EQ(program->AwaitExit(), 0) << program->Describe();
    EXPECT_THAT(program->text(Process::kErr), Not(HasSubstr("failed in batch")));
  }
}

// It signals the program, and then the group that the program is in.
TEST(NetworkWordCountTest, TimeoutStopsItGracefully) {
  TcpServer server;
  Command command = WordCount(server);
  command.insert(command.begin(), {"/usr/bin/env", "timeout", "10m"});
  Process program(command);
  TcpPeer peer = server.Accept();
  peer.Send("told\n");
  ASSERT_TRUE(program.Await(Process::kOut, "(told,1)")) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("Once more to stop at once"));
  EXPECT_THAT(program.text(Process::kErr), Not(HasSubstr("Stopping at once")))
      << program.Describe();
}

TEST(NetworkWordCountTest, AThirdSignalEndsEvenAFunctionThatHangs) {
  std::optional<Process> program;
  StartToStop(program, "driver");
  program->Signal(SIGTERM);
  ASSERT_TRUE(program->Await(Process::kErr, "Once more to end the process")) << program->Describe();
  program->Signal(SIGTERM);
  EXPECT_EQ(program->AwaitExit(), 128 + SIGTERM) << program->Describe();
}

TEST(NetworkWordCountTest, ASignalEndsTheWaitForAConnection) {
  TcpServer server(/*listening=*/false);
  Process program(WordCount(server, {Setting("streaming.receiverRestartDelay=1h")}));
  ASSERT_TRUE(program.Await(Process::kErr, "starting again in 3600000 ms")) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

TEST(NetworkWordCountTest, RefusedAndLostConnectionsAreToldAndMadeAgain) {
  TcpServer server(/*listening=*/false);
  Process program(WordCount(server, {Setting("streaming.receiverRestartDelay=30ms")}));
  const std::string address = "127.0.0.1:" + server.port_text();
  const std::string refused =
      "cannot connect to " + address + ": connect: Connection refused; starting again in 30 ms\n";
  ASSERT_TRUE(program.AwaitText(Process::kErr, [&refused](const std::string& text) {
    const size_t first = text.find(refused);
    return first != text.npos && text.find(refused, first + 1) != text.npos;
  })) << program.Describe();

  server.Listen();
  TcpPeer peer = server.Accept();
  peer.Send("one two\nunfinished");
  peer.Close();
  EXPECT_TRUE(
      program.Await(Process::kErr, address + " closed the connection; starting again in 30 ms\n"))
      << program.Describe();

  peer = server.Accept();
  peer.Send("one three\nbroken o");
  peer.AwaitRead();
  peer.Reset();
  EXPECT_TRUE(program.Await(Process::kErr,
                            "a line was left out after 8 bytes of it: lost the "
                            "connection to " +
                                address +
                                ": Connection reset by "
                                "peer; starting again in 30 ms\n"))
      << program.Describe();

  peer = server.Accept();
  peer.Send("four\n");
  peer.AwaitRead();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  EXPECT_THAT(SumCounts(program.text(Process::kOut)),
              ElementsAre(Pair("four", 1), Pair("one", 2), Pair("three", 1), Pair("two", 1),
                          Pair("unfinished", 1)));
}

}  // namespace
}  // namespace millrace
