// A cluster whose processes are killed and paused at random for as long as one likes, while a
// program with windows and two kinds of state counts a log: what it puts out is exact.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/test_cluster.h"
#include "tests/integration/word_log.h"

namespace millrace {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kIntervalMs = 200;
// A short run is part of the tests; scripts/soak asks for longer ones.
constexpr int kSeconds = 15;

int FromEnvironment(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  int number = 0;
  return text != nullptr && absl::SimpleAtoi(text, &number) && number > 0 ? number : otherwise;
}

class SoakTest : public ::testing::Test {
 protected:
  SoakTest()
      : seed_(FromEnvironment("MILLRACE_SOAK_SEED", 1)), random_(static_cast<uint32_t>(seed_)) {}

  void SetUp() override {
    for (const char* name : {"a", "b", "c"}) executors_[name] = &cluster_.AddExecutor(name, 1);
    log_.Append(1);
    Submit();
  }

  void Submit() {
    program_ = std::make_unique<Process>(cluster_.SubmitCommand(Program(
        "killed_counts", log_.ProgramArguments({Setting("streaming.gracefulStopTimeout=120s")}))));
  }

  // The program has come to the end of so many more batches.
  [[nodiscard]] bool AwaitBatches(int count) {
    for (int i = 0; i < count; ++i) {
      if (!program_->NextLine(Process::kOut).has_value()) return false;
      ++batches_;
    }
    return true;
  }

  int Random(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }

  std::map<std::string, Daemon*>::iterator AnyExecutor() {
    return std::next(executors_.begin(), Random(static_cast<int>(executors_.size())));
  }

  void Pause(const std::vector<pid_t>& pids) {
    const milliseconds pause(100 + Random(3'000));
    for (const pid_t pid : pids) ::kill(pid, SIGSTOP);
    std::this_thread::sleep_for(pause);
    for (const pid_t pid : pids) ::kill(pid, SIGCONT);
    ++pauses_;
  }

  void KillProgram() {
    program_->Signal(SIGKILL);
    ASSERT_TRUE(program_->AwaitExit().has_value());
    Submit();
  }

  void KillExecutor() {
    const auto victim = AnyExecutor();
    victim->second->Kill();
    victim->second->process->AwaitExit();
    victim->second = &cluster_.AddExecutor(victim->first, 1);
  }

  // Returns what it was.
  std::string Harm() {
    const int kind = Random(8);
    if (kind >= 5) {
      const auto victim = AnyExecutor();
      if (kind == 5) Pause(cluster_.WorkerPids(victim->first));
      if (kind == 6) Pause({victim->second->process->pid()});
      if (kind == 7) Pause({cluster_.driver().process->pid()});
      return kind == 5   ? "a worker stood still"
             : kind == 6 ? "an executor daemon stood still"
                         : "the driver daemon stood still";
    }
    ++kills_;
    switch (kind) {
      case 0:
        KillProgram();
        return "the program was killed";
      case 1:
        KillExecutor();
        return "an executor daemon was killed";
      case 2:
        cluster_.KillDriver();
        cluster_.RestartDriver();
        return "the driver daemon was killed";
      default:
        for (const pid_t pid : cluster_.WorkerPids(AnyExecutor()->first)) ::kill(pid, SIGKILL);
        return "a worker was killed";
    }
  }

  const int seed_;
  std::mt19937 random_;
  TestCluster cluster_;
  std::map<std::string, Daemon*> executors_;
  WordLog log_{cluster_.path(), kIntervalMs};
  std::unique_ptr<Process> program_;
  int batches_ = 0;
  int kills_ = 0;
  int pauses_ = 0;
};

TEST_F(SoakTest, WhateverIsKilledOrStandsStill) {
  const auto end =
      Clock::now() + std::chrono::seconds(FromEnvironment("MILLRACE_SOAK_SECONDS", kSeconds));
  ASSERT_TRUE(AwaitBatches(1)) << program_->Describe();
  while (Clock::now() < end) {
    log_.Append(20 + Random(200));
    // Not every batch is over when the next harm is done.
    ASSERT_TRUE(AwaitBatches(1 + Random(12))) << program_->Describe();
    log_.Append(Random(50));
    const std::string harm = Harm();
    ASSERT_FALSE(HasFatalFailure()) << harm;
    ASSERT_TRUE(AwaitBatches(1)) << "after " << harm << ": " << program_->Describe();
  }
  do {
    ASSERT_TRUE(AwaitBatches(5)) << program_->Describe();
  } while (log_.counted() < log_.appended());
  program_->Signal(SIGTERM);
  EXPECT_EQ(program_->AwaitExit(), 0) << program_->Describe();
  log_.Check();
  std::printf("seed %d: %d kills, %d pauses, %d batches, %lld words: %s\n", seed_, kills_, pauses_,
              batches_, static_cast<long long>(log_.appended()),
              HasFailure() ? "NOT all outputs are right" : "every output is right");
}

}  // namespace
}  // namespace millrace
