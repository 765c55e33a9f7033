// Two applications on the same executors: one crashes, leaks or never ends, the other one does not
// notice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <optional>
#include <string>

#include "tests/integration/test_cluster.h"
#include "tests/integration/word_log.h"
#include "tests/support/tcp_server.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

class BadNeighbourTest : public ::testing::Test {
 protected:
  BadNeighbourTest() {
    cluster_.AddExecutor("a", 2);
    cluster_.AddExecutor("b", 2);
    good_ = Start(Program("killed_counts", log_.ProgramArguments()));
    bad_ = Start(Program("misbehaving_function", {server_.port_text()}));
  }

  // On a core of each executor.
  std::unique_ptr<Process> Start(const Command& program) {
    Command arguments = {"--executor-cores",  "1",
                         "--num-executors",   "2",
                         "--executor-memory", std::to_string(256 * kMemoryFactor) + "m"};
    arguments.insert(arguments.end(), program.begin(), program.end());
    return std::make_unique<Process>(cluster_.SubmitCommand(arguments));
  }

  void Misbehave(const std::string& how) {
    RunGood();
    peer_ = server_.Accept();
    peer_->Send(how + "\n");
  }
  // Some batches of the good one.
  void RunGood() {
    log_.Append(100);
    const int64_t appended = log_.appended();
    do {
      ASSERT_TRUE(good_->NextLine(Process::kOut).has_value()) << good_->Describe();
    } while (log_.counted() < appended);
  }
  void ExpectGoodIsExact() {
    for (int i = 0; i < 5; ++i) RunGood();
    good_->Signal(SIGTERM);
    EXPECT_EQ(good_->AwaitExit(), 0) << good_->Describe();
    log_.Check();
    EXPECT_THAT(good_->text(Process::kErr), ::testing::Not(HasSubstr("was lost")));
  }

  TestCluster cluster_;
  TcpServer server_;
  WordLog log_{cluster_.path(), /*interval_ms=*/100};
  std::unique_ptr<Process> good_;
  std::unique_ptr<Process> bad_;
  std::optional<TcpPeer> peer_;
};

TEST_F(BadNeighbourTest, CrashesAndIsReported) {
  Misbehave("crash");
  EXPECT_TRUE(bad_->Await(Process::kErr, "killed by signal 11 (Segmentation fault)"))
      << bad_->Describe();
  ExpectGoodIsExact();
}

TEST_F(BadNeighbourTest, TakesAllItsMemoryAndIsReported) {
  Misbehave("leak");
  EXPECT_TRUE(bad_->Await(Process::kErr, "MiB of memory and may hold")) << bad_->Describe();
  ExpectGoodIsExact();
}

TEST_F(BadNeighbourTest, NeverEndsAndIsEndedByAKill) {
  Misbehave("loop");
  ExpectGoodIsExact();
  EXPECT_THAT(cluster_.Submit({"--list"}).out,
              HasSubstr("MisbehavingFunction  2 cores in 2 workers"));
  bad_->Signal(SIGTERM);
  EXPECT_TRUE(bad_->Await(Process::kErr, "batches had not ended")) << bad_->Describe();
  EXPECT_NE(bad_->AwaitExit(), 0) << "its batch is not done";
  EXPECT_TRUE(Eventually(
      [&] { return cluster_.WorkerPids("a").empty() && cluster_.WorkerPids("b").empty(); }));
}

}  // namespace
}  // namespace millrace
