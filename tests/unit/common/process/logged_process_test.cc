#include "common/process/logged_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <thread>

#include "common/fs/file_util.h"
#include "common/fs/local_file_system.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class LoggedProcessTest : public ::testing::Test {
 protected:
  LoggedProcess::Options Shell(const std::string& script) {
    return {.spec = {.program = "/bin/sh",
                     .argv = {"sh", "-c", script},
                     .environment = {{"ANSWER", "42"}},
                     .work_dir = dir_.path(),
                     .dies_with_parent = true},
            .out = {.path = dir_.path() + "/stdout"},
            .err = {.path = dir_.path() + "/stderr"}};
  }
  std::unique_ptr<LoggedProcess> Start(const LoggedProcess::Options& options) {
    auto process = LoggedProcess::Start(fs_, options);
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }
  std::string Contents(const std::string& name) {
    return ReadWholeFile(fs_, dir_.path() + "/" + name, 1 << 20).value_or("none");
  }
  // Until the script has come so far.
  void AwaitFile(const std::string& name) {
    while (Contents(name) == "none") std::this_thread::yield();
  }

  LocalFileSystem fs_;
  TempDir dir_;
};

TEST_F(LoggedProcessTest, ItsOutputIsInTheFilesAndItsExitIsKnown) {
  const auto outcome =
      Start(Shell("echo out $ANSWER; pwd; printf 'no end'; echo err >&2; exit 3"))->Run();
  EXPECT_EQ(outcome.exit, ExitStatus{.code = 3});
  EXPECT_EQ(outcome.reason, "exited with 3");
  EXPECT_EQ(outcome.last_stderr, "err\n");
  EXPECT_FALSE(outcome.was_requested);
  EXPECT_EQ(Contents("stdout"), "out 42\n" + dir_.path() + "\nno end");
  EXPECT_EQ(Contents("stderr"), "err\n");
}

TEST_F(LoggedProcessTest, ASignalIsNamed) {
  const auto outcome = Start(Shell("echo before >&2; kill -SEGV $$"))->Run();
  EXPECT_EQ(outcome.exit.signal, SIGSEGV);
  EXPECT_EQ(outcome.reason, "killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(outcome.last_stderr, "before\n");
}

TEST_F(LoggedProcessTest, AProgramThatIsNotThereIsAnError) {
  LoggedProcess::Options options = Shell("");
  options.spec.program = "/no/such/program";
  const auto process = LoggedProcess::Start(fs_, options);
  EXPECT_EQ(process.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(process.status().message()), HasSubstr("/no/such/program"));
  options = Shell("");
  options.spec.work_dir = "/no/such/dir";
  EXPECT_FALSE(LoggedProcess::Start(fs_, options).ok());
}

TEST_F(LoggedProcessTest, LogsRotateAndLoseNoLine) {
  LoggedProcess::Options options = Shell("seq 1 2000");
  options.out.bytes_max = 4096;
  options.out.files_max = 2;
  EXPECT_TRUE(Start(options)->Run().exit.ok());
  EXPECT_LE(Contents("stdout").size(), 16u << 10);
  EXPECT_THAT(Contents("stdout"), HasSubstr("2000\n"));
}

TEST_F(LoggedProcessTest, RequestedItEndsBySigterm) {
  // One that writes without pause does not keep us from that.
  const auto process =
      Start(Shell("trap 'echo bye; exit 0' TERM; touch up; while :; do echo busy; done"));
  std::thread asker([&] {
    AwaitFile("up");
    process->RequestEnd(/*grace_ms=*/60'000);
  });
  const auto outcome = process->Run();
  asker.join();
  EXPECT_TRUE(outcome.exit.ok());
  EXPECT_TRUE(outcome.was_requested);
  EXPECT_THAT(Contents("stdout"), HasSubstr("bye\n"));
}

TEST_F(LoggedProcessTest, WhatIgnoresSigtermIsKilled) {
  const auto process = Start(Shell("trap '' TERM; touch up; while :; do sleep 0.01; done"));
  std::thread asker([&] {
    AwaitFile("up");
    process->RequestEnd(/*grace_ms=*/50);
  });
  EXPECT_EQ(process->Run().exit.signal, SIGKILL);
  asker.join();
}

TEST_F(LoggedProcessTest, OverItsMemoryItIsKilledAndThatIsSaid) {
  LoggedProcess::Options options =
      Shell("x=aaaaaaaaaaaaaaaa; while :; do [ ${#x} -gt 50000000 ] || x=$x$x; done");
  options.memory_bytes_max = int64_t{24} << 20;
  const auto outcome = Start(options)->Run();
  EXPECT_EQ(outcome.exit.signal, SIGKILL);
  EXPECT_THAT(outcome.reason, StartsWith("killed: it held "));
  EXPECT_THAT(outcome.reason, HasSubstr("may hold 24 MiB"));
}

TEST_F(LoggedProcessTest, WhatItLeavesRunningEndsWithIt) {
  const auto outcome = Start(Shell("sleep 1000 & echo $! >child; exit 0"))->Run();
  EXPECT_TRUE(outcome.exit.ok());
  // A zombie until its new parent has looked, so that it may still have a number.
  const std::string path = "/proc/" + std::to_string(std::stoi(Contents("child"))) + "/stat";
  std::string stat;
  do {
    std::ifstream file(path);
    stat.clear();
    std::getline(file, stat);
  } while (!stat.empty() && stat.find(") Z ") == std::string::npos);
}

TEST_F(LoggedProcessTest, DiesWithTheThreadThatStartedIt) {
  std::unique_ptr<LoggedProcess> process;
  std::thread([&] { process = Start(Shell("sleep 1000")); }).join();
  EXPECT_EQ(process->Run().exit.signal, SIGKILL);
}

TEST_F(LoggedProcessTest, WithoutADiskTheProcessGoesOn) {
  LoggedProcess::Options options = Shell("seq 1 100000; echo end >&2");
  options.out.path = "/dev/null/no/file";
  const auto outcome = Start(options)->Run();
  EXPECT_TRUE(outcome.exit.ok());
  EXPECT_EQ(outcome.last_stderr, "end\n");
}

TEST(LastLinesTest, KeepsWholeLinesOfTheEnd) {
  LastLines last(10);
  last.Append("abc\nde");
  EXPECT_EQ(last.text(), "abc\nde");
  last.Append("f\nghi\n");
  EXPECT_EQ(last.text(), "def\nghi\n");
  last.Append("0123456789abcdef");
  EXPECT_EQ(last.text(), "6789abcdef");
  for (int i = 0; i < 100; ++i) last.Append("x\n");
  EXPECT_EQ(last.text(), "x\nx\nx\nx\n");
}

}  // namespace
}  // namespace millrace
