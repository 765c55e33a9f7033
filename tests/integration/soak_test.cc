// A cluster whose processes are killed and paused at random for as long as one likes, while two
// programs with windows and two kinds of state each count a log: what they put out is exact. One
// has its driver outside, and is started again by whoever killed it; that of the other is in the
// cluster, which starts it again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <regex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/test_cluster.h"
#include "tests/integration/word_log.h"

namespace millrace {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kIntervalMs = 500;
// A short run is part of the tests; scripts/soak asks for longer ones.
constexpr int kSeconds = 15;

int FromEnvironment(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  int number = 0;
  return text != nullptr && absl::SimpleAtoi(text, &number) && number > 0 ? number : otherwise;
}

// One of the programs, in a directory of its own.
class CountingProgram {
 public:
  CountingProgram(const TestCluster& cluster, const std::string& name)
      : cluster_(cluster), log_(cluster.path() + "/" + name, kIntervalMs) {}
  virtual ~CountingProgram() = default;
  CountingProgram(const CountingProgram&) = delete;
  CountingProgram& operator=(const CountingProgram&) = delete;

  // Both leave room for the other one.
  Command Arguments() const {
    Command arguments = {"--num-executors", "3", "--executor-cores", "1"};
    const Command program = Program(
        "killed_counts", log_.ProgramArguments({Setting("streaming.gracefulStopTimeout=120s")}));
    arguments.insert(arguments.end(), program.begin(), program.end());
    return arguments;
  }

  virtual void Submit() = 0;
  // It has come to the end of so many more batches.
  [[nodiscard]] virtual bool AwaitBatches(int count) = 0;
  // Of its driver, once it runs; -1: it does not, and the test has failed.
  virtual pid_t AwaitDriver() const = 0;
  virtual void KillDriver() = 0;
  // Gracefully; false: it ended in another way.
  [[nodiscard]] virtual bool End() = 0;
  virtual std::string Describe() const = 0;

  WordLog& log() { return log_; }
  const WordLog& log() const { return log_; }
  int batches() const { return batches_; }
  // A graceful stop would be long where many batches wait.
  bool HasCaughtUp() const {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return newest_ms_ + 10 * kIntervalMs >= std::chrono::ceil<milliseconds>(now).count();
  }

 protected:
  const TestCluster& cluster_;
  WordLog log_;
  int batches_ = 0;
  int64_t newest_ms_ = 0;  // Of the batches that have ended, as far as is known.
};

class ProgramOutside : public CountingProgram {
 public:
  explicit ProgramOutside(const TestCluster& cluster) : CountingProgram(cluster, "outside") {}

  void Submit() override {
    process_ = std::make_unique<Process>(cluster_.SubmitCommand(Arguments()));
  }
  bool AwaitBatches(int count) override {
    for (int i = 0; i < count; ++i) {
      const std::optional<std::string> line = process_->NextLine(Process::kOut);
      if (!line.has_value() || !absl::SimpleAtoi(*line, &newest_ms_)) return false;
      ++batches_;
    }
    return true;
  }
  pid_t AwaitDriver() const override { return process_->pid(); }
  void KillDriver() override {
    process_->Signal(SIGKILL);
    ASSERT_TRUE(process_->AwaitExit().has_value());
    Submit();
  }
  bool End() override {
    process_->Signal(SIGTERM);
    return process_->AwaitExit() == 0;
  }
  std::string Describe() const override { return process_->Describe(); }

 private:
  std::unique_ptr<Process> process_;
};

class ProgramInside : public CountingProgram {
 public:
  explicit ProgramInside(const TestCluster& cluster) : CountingProgram(cluster, "inside") {}

  void Submit() override {
    Command arguments = Arguments();
    arguments.insert(arguments.begin(), "--supervise");
    id_ = cluster_.SubmitToCluster(arguments);
  }
  // By the times of the batches; what its drivers print is in one file.
  bool AwaitBatches(int count) override {
    const int64_t before = newest_ms_;
    const bool have_come = Eventually([&] {
      const int64_t newest = cluster_.LastNumberPrinted(id_).value_or(newest_ms_);
      newest_ms_ = std::max(newest_ms_, newest);
      // One that goes on may print batches again.
      return newest_ms_ > before && (before == 0 || newest_ms_ >= before + count * kIntervalMs);
    });
    batches_ += count;
    return have_come;
  }
  pid_t AwaitDriver() const override {
    pid_t driver = -1;
    EXPECT_TRUE(Eventually([&] { return (driver = cluster_.DriverPid(id_)) > 1; })) << Describe();
    return driver;
  }
  void KillDriver() override {
    const pid_t driver = AwaitDriver();
    if (driver > 1) ::kill(driver, SIGKILL);
  }
  bool End() override {
    const std::string status = cluster_.Submit({"--kill", id_, "--wait"}).out;
    // No reason behind it.
    return std::regex_search(status, std::regex(": KILLED, attempt [^:]*\n$"));
  }
  std::string Describe() const override {
    return cluster_.Submit({"--status", id_}).out + cluster_.Submit({"--logs", id_}).err;
  }

 private:
  std::string id_;
};

class SoakTest : public ::testing::Test {
 protected:
  SoakTest()
      : seed_(FromEnvironment("MILLRACE_SOAK_SEED", 1)), random_(static_cast<uint32_t>(seed_)) {}

  void SetUp() override {
    for (const char* name : {"a", "b", "c"}) executors_[name] = &cluster_.AddExecutor(name, 2);
    for (CountingProgram* const program : programs_) {
      program->log().Append(1);
      program->Submit();
    }
  }

  void Append(int records) {
    for (CountingProgram* const program : programs_) program->log().Append(records);
  }
  // Of each program.
  void AwaitBatches(int count) {
    for (CountingProgram* const program : programs_) {
      ASSERT_TRUE(program->AwaitBatches(count)) << program->Describe();
    }
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
  }
  void PauseDriver() {
    const pid_t driver = programs_[static_cast<size_t>(Random(2))]->AwaitDriver();
    if (driver > 1) Pause({driver});
  }

  void KillExecutor() {
    const auto victim = AnyExecutor();
    victim->second->Kill();
    victim->second->process->AwaitExit();
    victim->second = &cluster_.AddExecutor(victim->first, 2);
  }

  void KillDaemon() {
    cluster_.KillDriver();
    cluster_.RestartDriver();
  }

  // Returns what it was. The first one is the same in short and in long runs.
  std::string Harm() {
    const int kind = std::exchange(is_first_, false) ? 0 : Random(11);
    (kind < 7 ? kills_ : pauses_) += 1;
    switch (kind) {
      case 0:
        inside_.KillDriver();
        return "the driver in the cluster was killed";
      case 1:
        outside_.KillDriver();
        return "the driver outside was killed";
      case 2:
        KillExecutor();
        return "an executor daemon was killed";
      case 3:
        KillDaemon();
        return "the driver daemon was killed";
      case 4:
        inside_.KillDriver();
        KillDaemon();
        return "the driver daemon and the driver in the cluster were killed";
      case 5:
        inside_.KillDriver();
        KillExecutor();
        return "the driver in the cluster and an executor daemon were killed";
      case 6:
        for (const pid_t pid : cluster_.WorkerPids(AnyExecutor()->first)) ::kill(pid, SIGKILL);
        return "workers were killed";
      case 7:
        Pause(cluster_.WorkerPids(AnyExecutor()->first));
        return "workers stood still";
      case 8:
        Pause({AnyExecutor()->second->process->pid()});
        return "an executor daemon stood still";
      case 9:
        Pause({cluster_.driver().process->pid()});
        return "the driver daemon stood still";
      default:
        PauseDriver();
        return "a driver stood still";
    }
  }

  const int seed_;
  std::mt19937 random_;
  TestCluster cluster_;
  std::map<std::string, Daemon*> executors_;
  ProgramOutside outside_{cluster_};
  ProgramInside inside_{cluster_};
  const std::array<CountingProgram*, 2> programs_ = {&outside_, &inside_};
  bool is_first_ = true;
  int kills_ = 0;
  int pauses_ = 0;
};

TEST_F(SoakTest, WhateverIsKilledOrStandsStill) {
  const auto end =
      Clock::now() + std::chrono::seconds(FromEnvironment("MILLRACE_SOAK_SECONDS", kSeconds));
  ASSERT_NO_FATAL_FAILURE(AwaitBatches(1));
  while (Clock::now() < end) {
    Append(20 + Random(200));
    // Not every batch is over when the next harm is done.
    ASSERT_NO_FATAL_FAILURE(AwaitBatches(1 + Random(12)));
    Append(Random(50));
    const std::string harm = Harm();
    ASSERT_FALSE(HasFatalFailure()) << harm;
    ASSERT_NO_FATAL_FAILURE(AwaitBatches(1)) << "after " << harm;
  }
  for (CountingProgram* const program : programs_) {
    do {
      ASSERT_TRUE(program->AwaitBatches(5)) << program->Describe();
    } while (program->log().counted() < program->log().appended() || !program->HasCaughtUp());
    EXPECT_TRUE(program->End()) << program->Describe();
    program->log().Check();
    EXPECT_THAT(program->log().Unnamed(), ::testing::IsEmpty());
  }
  const int64_t words = outside_.log().appended() + inside_.log().appended();
  std::printf("seed %d: %d kills, %d pauses, %d batches, %s words: %s\n", seed_, kills_, pauses_,
              outside_.batches() + inside_.batches(), std::to_string(words).c_str(),
              HasFailure() ? "NOT all outputs are right" : "every output is right");
}

}  // namespace
}  // namespace millrace
