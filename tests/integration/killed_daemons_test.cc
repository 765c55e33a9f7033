// Workers, executor daemons and the driver daemon that are killed at any time while a program
// receives, maps, shuffles and updates state: what it puts out is exact.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/integration/logged_records.h"
#include "tests/integration/test_cluster.h"
#include "tests/integration/word_log.h"
#include "tests/support/printed_batches.h"

namespace millrace {
namespace {

enum class Victim { kWorker, kExecutor, kDriver };

class KilledDaemonsTest : public ::testing::TestWithParam<Victim> {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b", "c"}) executors_[name] = &cluster_.AddExecutor(name, 1);
  }

  // Any of them. A daemon comes back at once.
  void KillOne() {
    if (GetParam() == Victim::kDriver) {
      cluster_.KillDriver();
      cluster_.RestartDriver();
      return;
    }
    auto victim = executors_.begin();
    std::advance(victim, random_() % executors_.size());
    if (GetParam() == Victim::kExecutor) {
      victim->second->Kill();
      victim->second->process->AwaitExit();
      victim->second = &cluster_.AddExecutor(victim->first, 1);
      return;
    }
    for (const pid_t pid : cluster_.WorkerPids(victim->first)) ::kill(pid, SIGKILL);
  }

  TestCluster cluster_;
  std::map<std::string, Daemon*> executors_;
  std::mt19937 random_{20240517};
};

// Each batch of the program maps, shuffles and updates state of three kinds.
TEST_P(KilledDaemonsTest, ALogIsCountedExactly) {
  WordLog log(cluster_.path(), /*interval_ms=*/100);
  Process program(cluster_.SubmitCommand(Program(
      "killed_counts", log.ProgramArguments({Setting("streaming.gracefulStopTimeout=60s")}))));
  for (int kill = 0; kill < 6; ++kill) {
    log.Append(200);
    const auto batches = static_cast<int>(random_() % 6);
    for (int i = 0; i <= batches; ++i) {
      ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
      log.Append(50);
    }
    KillOne();
  }
  do {
    ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
  } while (log.counted() < log.appended());
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  log.Check();
}

TEST_P(KilledDaemonsTest, WhatWasStoredSafelyIsCounted) {
  constexpr int64_t kBlocks = 2'000;
  constexpr int64_t kOfBlock = 10;
  constexpr int kKills = 4;
  const std::string progress = cluster_.path() + "/progress";
  Process program(
      cluster_.SubmitCommand(Program("reliable_numbers", {progress, std::to_string(kBlocks)})));
  // Both copies of a block are never lost: what is safe by now is counted before the next kill.
  const auto await_counted = [&](int64_t blocks) {
    return program.AwaitText(Process::kOut, [&](const std::string& text) {
      return std::ssize(SumCounts(text)) >= blocks * kOfBlock;
    });
  };
  const auto safe_blocks = [&progress] {
    int64_t blocks = 0;
    std::ifstream(progress) >> blocks;
    return blocks;
  };
  for (int kill = 0; kill < kKills; ++kill) {
    const int64_t more = kBlocks * (kill + 1) / (kKills + 1);
    ASSERT_TRUE(program.AwaitText(Process::kOut, [&](const std::string&) {
      return safe_blocks() >= more;
    })) << program.Describe();
    KillOne();
    ASSERT_TRUE(await_counted(safe_blocks())) << program.Describe();
  }
  ASSERT_TRUE(await_counted(kBlocks)) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  const std::map<std::string, int64_t> counts = SumCounts(program.text(Process::kOut));
  EXPECT_EQ(std::ssize(counts), kBlocks * kOfBlock);
  int64_t sum = 0;
  for (const auto& [number, count] : counts) sum += count;
  EXPECT_LE(sum, (kBlocks + kKills) * kOfBlock) << "a block for each end of the receiver";
}

// A driver in the cluster, which is started again and goes on from its checkpoint.
TEST(KilledDriverTest, ALogIsCountedExactly) {
  TestCluster cluster;
  cluster.AddExecutor("a", 1);
  cluster.AddExecutor("b", 1);
  WordLog log(cluster.path(), /*interval_ms=*/100);
  Command arguments = {"--supervise", "--num-executors", "2", "--executor-cores", "1"};
  const Command program = Program("killed_counts", log.ProgramArguments());
  arguments.insert(arguments.end(), program.begin(), program.end());
  const std::string id = cluster.SubmitToCluster(arguments);
  pid_t killed = -1;
  for (int kill = 0; kill < 3; ++kill) {
    log.Append(200);
    ASSERT_TRUE(Eventually([&] { return log.counted() == log.appended(); }))
        << cluster.Submit({"--logs", id}).err;
    log.Append(200);
    const pid_t driver = cluster.DriverPid(id);
    ASSERT_TRUE(driver > 1 && driver != killed) << driver;
    ASSERT_EQ(::kill(driver, SIGKILL), 0);
    killed = driver;
  }
  ASSERT_TRUE(Eventually([&] { return log.counted() == log.appended(); }))
      << cluster.Submit({"--logs", id}).err;
  EXPECT_THAT(cluster.Submit({"--kill", id, "--wait"}).out, ::testing::HasSubstr("attempt 4"));
  log.Check();
}

// What receivers have stored is on workers, which live on, and so do the receivers.
TEST(KilledDriverTest, WhatWorkersHaveReceivedIsCountedOnce) {
  TestCluster cluster;
  cluster.AddExecutor("a", 1);
  cluster.AddExecutor("b", 1);
  const LoggedRecords records(cluster.path());
  Command arguments = {"--supervise", "--num-executors", "2", "--executor-cores", "1"};
  const Command program = records.ProgramWithoutLog({Setting("streaming.receiver.maxRate=1000")});
  arguments.insert(arguments.end(), program.begin(), program.end());
  const std::string id = cluster.SubmitToCluster(arguments);
  const auto await_more = [&](size_t more) {
    const size_t before = records.Output().size();
    return Eventually([&] { return records.Output().size() >= before + more; });
  };
  ASSERT_TRUE(await_more(300)) << cluster.Submit({"--logs", id}).err;
  const std::vector<pid_t> workers = {cluster.AwaitWorker("a"), cluster.AwaitWorker("b")};
  pid_t killed = -1;
  for (int kill = 0; kill < 3; ++kill) {
    const pid_t driver = cluster.DriverPid(id);
    ASSERT_TRUE(driver > 1 && driver != killed) << driver;
    const bool is_with_daemon = kill == 1;
    if (is_with_daemon) cluster.KillDriver();
    ASSERT_EQ(::kill(driver, SIGKILL), 0);
    if (is_with_daemon) cluster.RestartDriver();
    killed = driver;
    ASSERT_TRUE(await_more(300)) << cluster.Submit({"--status", id}).out
                                 << HttpGet(cluster.driver().http, "/api/v1/applications")
                                 << cluster.Submit({"--logs", id}).err;
  }
  EXPECT_EQ(workers, (std::vector<pid_t>{cluster.AwaitWorker("a"), cluster.AwaitWorker("b")}));
  EXPECT_THAT(cluster.Submit({"--kill", id, "--wait"}).out, ::testing::HasSubstr("attempt 4"));
  records.Check();
}

// The same for a program that its user starts again.
TEST(KilledDriverTest, WhatAProgramHadReceivedIsCountedOnceWhenItIsStartedAgain) {
  TestCluster cluster({.driver_flags = {"--application_grace_ms=10000"}});
  cluster.AddExecutor("a", 1);
  cluster.AddExecutor("b", 1);
  const LoggedRecords records(cluster.path());
  Command arguments = {"--num-executors", "2", "--executor-cores", "1"};
  const Command program = records.ProgramWithoutLog({Setting("streaming.receiver.maxRate=1000")});
  arguments.insert(arguments.end(), program.begin(), program.end());
  std::vector<pid_t> workers;
  for (int run = 0; run < 4; ++run) {
    Process driver(cluster.SubmitCommand(arguments));
    const size_t before = records.Output().size();
    ASSERT_TRUE(Eventually([&] { return records.Output().size() >= before + 300; }))
        << driver.Describe();
    const std::vector<pid_t> now = {cluster.AwaitWorker("a"), cluster.AwaitWorker("b")};
    if (run > 0) {
      EXPECT_EQ(now, workers) << driver.Describe();
    }
    workers = now;
    driver.Signal(run < 3 ? SIGKILL : SIGTERM);
    EXPECT_EQ(driver.AwaitExit(), run < 3 ? 128 + SIGKILL : 0) << driver.Describe();
  }
  records.Check();
}

std::string NameOf(const ::testing::TestParamInfo<Victim>& info) {
  switch (info.param) {
    case Victim::kWorker:
      return "Workers";
    case Victim::kExecutor:
      return "ExecutorDaemons";
    case Victim::kDriver:
      return "TheDriverDaemon";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Of, KilledDaemonsTest,
                         ::testing::Values(Victim::kWorker, Victim::kExecutor, Victim::kDriver),
                         NameOf);

}  // namespace
}  // namespace millrace
