// Each example does what the comment at its top says. The word count has a file of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/commands.h"
#include "tests/support/printed_batches.h"
#include "tests/support/process.h"
#include "tests/support/tcp_server.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

std::string ReadFile(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool AwaitRecord(Process& program, const std::string& record) {
  return program.AwaitText(Process::kOut, [&record](const std::string& text) {
    const std::vector<std::string> records = AllRecords(text);
    return std::find(records.begin(), records.end(), record) != records.end();
  });
}

class ExamplesTest : public ::testing::Test {
 protected:
  Command Reading(const std::string& name, Command more = {}) {
    more.insert(more.begin(), {"localhost", server_.port_text()});
    return Example(name, std::move(more));
  }
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  void StopGracefully(Process& program) {
    program.Signal(SIGTERM);
    EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  }

  TempDir directory_;
  TcpServer server_;
};

TEST_F(ExamplesTest, WindowedNetworkWordCount) {
  Process program(Reading("windowed_network_word_count", {Path("checkpoint")}));
  TcpPeer peer = server_.Accept();
  peer.Send("a b a\n");
  ASSERT_TRUE(AwaitRecord(program, "(a,2)")) << program.Describe();
  peer.Send("a c\n");
  ASSERT_TRUE(AwaitRecord(program, "(a,3)")) << program.Describe();
  StopGracefully(program);
  const std::vector<PrintedBatch> batches = ParsePrinted(program.text(Process::kOut));
  EXPECT_THAT(batches.back().records, UnorderedElementsAre("(a,3)", "(b,1)", "(c,1)"));
  for (size_t i = 1; i < batches.size(); ++i) {
    EXPECT_EQ(batches[i].time_ms - batches[i - 1].time_ms, 2000);
  }
}

TEST_F(ExamplesTest, StatefulNetworkWordCount) {
  Process program(Reading("stateful_network_word_count", {Path("checkpoint")}));
  TcpPeer peer = server_.Accept();
  peer.Send("hello you\n");
  ASSERT_TRUE(AwaitRecord(program, "(you,1)")) << program.Describe();
  peer.Send("hello you\n");
  ASSERT_TRUE(AwaitRecord(program, "(you,2)")) << program.Describe();
  StopGracefully(program);
  EXPECT_THAT(AllRecords(program.text(Process::kOut)),
              UnorderedElementsAre("(hello,2)", "(you,1)", "(hello,3)", "(you,2)"));
}

TEST_F(ExamplesTest, RecoverableNetworkWordCount) {
  Process program(
      Reading("recoverable_network_word_count", {Path("checkpoint"), Path("counts.txt")}));
  TcpPeer peer = server_.Accept();
  peer.Send("hello a b a\n");
  ASSERT_TRUE(program.Await(Process::kOut, "Dropped 3 word(s) so far\n")) << program.Describe();
  peer.Send("world c\n");
  ASSERT_TRUE(program.Await(Process::kOut, "Dropped 4 word(s) so far\n")) << program.Describe();
  StopGracefully(program);
  const std::string counts = std::regex_replace(ReadFile(Path("counts.txt")),
                                                std::regex("Counts at time [0-9]+000 ms: "), "");
  EXPECT_THAT(std::regex_replace(counts, std::regex("\\[\\]\n"), ""), "[(hello,1)]\n[(world,1)]\n");
}

TEST_F(ExamplesTest, QueueStreamEndsByItself) {
  Process program(Example("queue_stream", {}));
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  int batches_with_records = 0;
  for (const PrintedBatch& batch : ParsePrinted(program.text(Process::kOut))) {
    if (batch.records.empty()) continue;
    ++batches_with_records;
    EXPECT_THAT(batch.records,
                UnorderedElementsAre("(0,100)", "(1,100)", "(2,100)", "(3,100)", "(4,100)",
                                     "(5,100)", "(6,100)", "(7,100)", "(8,100)", "(9,100)"));
  }
  EXPECT_EQ(batches_with_records, 5);
  EXPECT_EQ(program.text(Process::kErr), "");
}

TEST_F(ExamplesTest, FileWordCountTakesFilesThatAreMovedIn) {
  std::filesystem::create_directory(Path("incoming"));
  const auto move_in = [this](const std::string& name, const std::string& text) {
    std::ofstream(Path(name)) << text;
    std::filesystem::rename(Path(name), Path("incoming/" + name));
  };
  move_in("before.txt", "before it began\n");
  Process program(Example("file_word_count", {Path("incoming")}));
  // Its first batch shows that it watches.
  ASSERT_TRUE(program.AwaitText(Process::kOut, [](const std::string& text) {
    return !ParsePrinted(text).empty();
  })) << program.Describe();
  move_in("_hidden", "hidden\n");
  move_in("one.txt", "to be or\nnot to be\n");
  move_in("two.txt", "to");
  ASSERT_TRUE(program.AwaitText(Process::kOut, [](const std::string& text) {
    return SumCounts(text)["to"] == 3;
  })) << program.Describe();
  StopGracefully(program);
  EXPECT_EQ(SumCounts(program.text(Process::kOut)),
            (std::map<std::string, int64_t>{{"to", 3}, {"be", 2}, {"or", 1}, {"not", 1}}));
}

TEST_F(ExamplesTest, CustomReceiver) {
  Process program(Example("custom_receiver", {"3"}));
  ASSERT_TRUE(program.AwaitText(Process::kOut, [](const std::string& text) {
    return SumCounts(text).size() == 3;
  })) << program.Describe();
  StopGracefully(program);
  for (const auto& [walker, distances] : SumCounts(program.text(Process::kOut))) {
    EXPECT_THAT(walker, ::testing::AnyOf("0", "1", "2"));
    EXPECT_GT(distances, 0);
  }
}

TEST_F(ExamplesTest, TopKWords) {
  Process program(Reading("top_k_words"));
  TcpPeer peer = server_.Accept();
  peer.Send("the  of to\n");
  ASSERT_TRUE(program.Await(Process::kOut, "the 1")) << program.Describe();
  peer.Send(
      "the the to six five five five four four four four four\nsix the the six six six six\n");
  ASSERT_TRUE(program.Await(Process::kOut, "000 ms: six 6, ")) << program.Describe();
  StopGracefully(program);
  EXPECT_THAT(
      program.text(Process::kOut),
      ::testing::AnyOf(::testing::HasSubstr("000 ms: six 6, the 5, four 5, five 3, to 2\n"),
                       ::testing::HasSubstr("000 ms: six 6, four 5, the 5, five 3, to 2\n")));
}

TEST_F(ExamplesTest, LogGrepPrintsAndSavesWhatItFinds) {
  Process program(Reading("log_grep", {"ERROR", Path("errors")}));
  TcpPeer peer = server_.Accept();
  peer.Send("INFO all is well\nERROR disk full\nan ERROR in line 3\nerror\n");
  ASSERT_TRUE(AwaitRecord(program, "an ERROR in line 3")) << program.Describe();
  StopGracefully(program);

  const std::string& output = program.text(Process::kOut);
  EXPECT_THAT(AllRecords(output), ElementsAre("ERROR disk full", "an ERROR in line 3"));
  std::string saved;
  for (const PrintedBatch& batch : ParsePrinted(output)) {
    const std::filesystem::path batch_directory = Path("errors-" + std::to_string(batch.time_ms));
    EXPECT_TRUE(std::filesystem::exists(batch_directory / "_SUCCESS")) << batch_directory;
    for (int part = 0;; ++part) {
      const auto path = batch_directory / ("part-0000" + std::to_string(part));
      if (!std::filesystem::exists(path)) break;
      saved += ReadFile(path);
    }
  }
  EXPECT_EQ(saved, "ERROR disk full\nan ERROR in line 3\n");
}

TEST_F(ExamplesTest, JoinStreams) {
  TcpServer payments_server;
  Process program(Reading("join_streams", {payments_server.port_text()}));
  TcpPeer orders = server_.Accept();
  TcpPeer payments = payments_server.Accept();
  orders.Send("16 door\n17 book\n18 lamp\n");  // They come in one piece.
  ASSERT_TRUE(SendUntilPrinted(program, payments, "16 9.00\n", "(16,(door,9.00))"))
      << program.Describe();
  // Of orders of an earlier batch.
  payments.Send("17 12.50\n20 1.00\n");
  ASSERT_TRUE(AwaitRecord(program, "(17,(book,12.50))")) << program.Describe();
  payments.Send("18 40.00\n19 7.00\n");
  ASSERT_TRUE(AwaitRecord(program, "(18,(lamp,40.00))")) << program.Describe();
  StopGracefully(program);
  std::vector<std::string> paid = AllRecords(program.text(Process::kOut));
  std::erase(paid, "(16,(door,9.00))");
  EXPECT_THAT(paid, ElementsAre("(17,(book,12.50))", "(18,(lamp,40.00))"));
}

struct WrongUse {
  std::string name;
  Command arguments;
};

class WrongArgumentsTest : public ::testing::TestWithParam<WrongUse> {};

TEST_P(WrongArgumentsTest, AreAnsweredWithTheUsage) {
  Process program(Example(GetParam().name, GetParam().arguments));
  EXPECT_EQ(program.AwaitExit(), 2) << program.Describe();
  EXPECT_THAT(program.text(Process::kErr), StartsWith("usage: " + GetParam().name));
  EXPECT_EQ(program.text(Process::kOut), "");
}

const Command kNone;
const Command kNoPort = {"localhost", "port"};

INSTANTIATE_TEST_SUITE_P(
    Examples, WrongArgumentsTest,
    ::testing::Values(
        WrongUse{"network_word_count", kNone}, WrongUse{"network_word_count", kNoPort},
        WrongUse{"network_word_count", {"localhost", "9999", "more"}},
        WrongUse{"windowed_network_word_count", kNone},
        WrongUse{"windowed_network_word_count", {"localhost", "port", "/tmp/c"}},
        WrongUse{"stateful_network_word_count", kNone},
        WrongUse{"stateful_network_word_count", {"localhost", "port", "/tmp/c"}},
        WrongUse{"recoverable_network_word_count", kNone},
        WrongUse{"recoverable_network_word_count", {"localhost", "port", "/c", "/o"}},
        WrongUse{"queue_stream", {"more"}}, WrongUse{"file_word_count", kNone},
        WrongUse{"custom_receiver", kNone}, WrongUse{"custom_receiver", {"0"}},
        WrongUse{"top_k_words", kNone}, WrongUse{"top_k_words", kNoPort},
        WrongUse{"log_grep", kNoPort}, WrongUse{"log_grep", {"localhost", "port", "word"}},
        WrongUse{"join_streams", kNoPort}, WrongUse{"join_streams", {"localhost", "9999", "port"}}),
    [](const auto& info) { return info.param.name + "_" + std::to_string(info.index); });

}  // namespace
}  // namespace millrace
