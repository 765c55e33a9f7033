// The receiver log: whatever is killed, what a reliable receiver was told is safe is in the output
// once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/commands.h"
#include "tests/integration/logged_records.h"
#include "tests/integration/test_cluster.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

namespace stdfs = std::filesystem;

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  const std::string tasks = "/proc/" + std::to_string(parent) + "/task";
  for (const auto& task : stdfs::directory_iterator(tasks)) {
    std::ifstream file(task.path() / "children");
    children.insert(children.end(), std::istream_iterator<pid_t>(file), {});
  }
  return children;
}

void AwaitBatches(Process& program, int count) {
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
  }
}

TEST(ReceiverLogTest, KilledWithAllItsWorkersNothingThatWasSafeIsLostOrCountedTwice) {
  const TempDir directory;
  const LoggedRecords records(directory.path());
  std::mt19937 random(20240517);
  const std::string local_dir = directory.path() + "/local";
  const Command command = records.ProgramWith(
      {Setting("master=local-cluster[2,1,256]"), Setting("local.dir=" + local_dir)});
  for (int run = 0; run < 6; ++run) {
    Process program(command);
    AwaitBatches(program, static_cast<int>(random() % 8) + (run % 3 == 0 ? 0 : 1));
    const std::vector<pid_t> workers = ChildrenOf(program.pid());
    // Workers first or the program first: those that live on must not count what nobody reads.
    const bool workers_first = run % 2 == 0;
    if (!workers_first) program.Signal(SIGKILL);
    for (const pid_t worker : workers) ::kill(worker, SIGKILL);
    if (workers_first) program.Signal(SIGKILL);
    ASSERT_EQ(program.AwaitExit(), 128 + SIGKILL) << program.Describe();
  }
  Process program(command);
  AwaitBatches(program, 3);
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  records.Check();
  EXPECT_TRUE(stdfs::is_empty(local_dir)) << "what the killed ones have left is still there";
}

TEST(ReceiverLogTest, WorkersAreKilledWhileTheProgramRuns) {
  TestCluster cluster;
  for (const char* name : {"a", "b"}) cluster.AddExecutor(name, 1);
  const LoggedRecords records(cluster.path());
  Process program(cluster.SubmitCommand(records.ProgramWith({})));
  for (int kill = 0; kill < 4; ++kill) {
    AwaitBatches(program, 5);
    for (const pid_t pid : cluster.WorkerPids(kill % 2 == 0 ? "a" : "b")) ::kill(pid, SIGKILL);
  }
  AwaitBatches(program, 10);
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  records.Check();
}

TEST(ReceiverLogTest, WithoutACheckpointDirectoryTheStartSaysSo) {
  Process program(
      Example("network_word_count",
              {"127.0.0.1", "1", Setting("streaming.receiver.writeAheadLog.enable=true")}));
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_NE(program.text(Process::kErr).find("needs a checkpoint directory"), std::string::npos)
      << program.Describe();
}

}  // namespace
}  // namespace millrace
