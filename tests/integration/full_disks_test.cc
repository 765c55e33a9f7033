// Daemons whose disks are full.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "tests/integration/own_disk.h"
#include "tests/integration/test_cluster.h"
#include "tests/support/printed_batches.h"
#include "tests/support/tcp_server.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Counts = std::map<std::string, int64_t>;

constexpr char kNoMount[] = "this system lets nobody mount a small disk";

bool AwaitCounts(Process& program, const Counts& counts) {
  return program.AwaitText(
      Process::kOut, [&counts](const std::string& text) { return SumCounts(text) == counts; });
}

TEST(FullExecutorDiskTest, AProgramThatHasNoRoomFailsAndSaysWhere) {
  const OwnDisk disk(20 << 20);
  if (!disk.is_there()) GTEST_SKIP() << kNoMount;
  TestCluster cluster;
  Daemon& executor = cluster.AddExecutor("a", 1, {"--work_dir=" + disk.path()});
  disk.Fill();
  const Command program = {std::string(MILLRACE_TEST_PROGRAMS) + "/numbers_by_key"};
  const TestCluster::Finished failed = cluster.Submit(program);
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, AllOf(HasSubstr("No space left on device"), HasSubstr(disk.path())));
  EXPECT_THAT(HttpGet(executor.http, "/healthz"), HasSubstr("\r\n\r\nok\n"));
  EXPECT_TRUE(executor.process->Await(Process::kErr, "No space left on device"))
      << executor.process->Describe();
  disk.Free();
  const TestCluster::Finished finished = cluster.Submit(program);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("processes: 1\n"));
}

TEST(FullExecutorDiskTest, WhatCannotBeSpilledThereIsSpilledElsewhere) {
  const OwnDisk disk(9 << 20);  // The program has room, and little else.
  if (!disk.is_there()) GTEST_SKIP() << kNoMount;
  TestCluster cluster;
  Daemon& executor = cluster.AddExecutor("a", 1, {"--work_dir=" + disk.path()});
  cluster.AddExecutor("b", 1);
  // It is tried elsewhere as soon as the slot there is free, and only there.
  const TestCluster::Finished finished =
      cluster.Submit({"--conf", "millrace.locality.wait=30s",
                      std::string(MILLRACE_TEST_PROGRAMS) + "/cached_numbers"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out, "333332833333500000\n333332833333500000\n");
  EXPECT_THAT(finished.err, HasSubstr(disk.path()));
  EXPECT_THAT(HttpGet(executor.http, "/healthz"), HasSubstr("\r\n\r\nok\n"));
}

class FullDriverDiskTest : public ::testing::Test {
 protected:
  // With a program that runs and has counted "a" once.
  void SetUp() override {
    if (!disk_.is_there()) GTEST_SKIP() << kNoMount;
    cluster_ = std::make_unique<TestCluster>(TestCluster::Options{.state_dir = disk_.path()});
    executor_ = &cluster_->AddExecutor("a", 1);
    program_ = std::make_unique<Process>(cluster_->SubmitCommand(
        {"--conf", "millrace.streaming.blockInterval=50ms", "--total-executor-cores", "1",
         std::string(MILLRACE_TEST_EXAMPLES) + "/network_word_count", "127.0.0.1",
         server_.port_text()}));
    peer_ = server_.Accept();
    ExpectCounted("a");
  }

  void ExpectCounted(const std::string& word) {
    peer_.Send(word + "\n");
    ++counts_[word];
    EXPECT_TRUE(AwaitCounts(*program_, counts_)) << program_->Describe();
  }

  const OwnDisk disk_{256 << 20};
  std::unique_ptr<TestCluster> cluster_;
  Daemon* executor_ = nullptr;
  TcpServer server_;
  std::unique_ptr<Process> program_;
  TcpPeer peer_{-1};
  Counts counts_;
};

TEST_F(FullDriverDiskTest, RefusesSubmissionsUntilThereIsRoom) {
  const std::string known = cluster_->Script("known", "echo known\n");
  EXPECT_EQ(cluster_->Submit({"--deploy-mode", "cluster", "--wait", known}).exit_code, 0);
  const std::string unknown = cluster_->Script("unknown", "echo unknown\n");
  disk_.Fill();
  for (const std::string& script : {known, unknown}) {
    const TestCluster::Finished refused = cluster_->Submit({"--deploy-mode", "cluster", script});
    EXPECT_EQ(refused.exit_code, 1) << refused.out;
    EXPECT_THAT(refused.err, AllOf(HasSubstr("No space left on device"), HasSubstr(disk_.path())));
  }
  const TestCluster::Finished application =
      cluster_->Submit({std::string(MILLRACE_TEST_PROGRAMS) + "/numbers_by_key"});
  EXPECT_EQ(application.exit_code, 1) << application.out;
  EXPECT_THAT(application.err,
              AllOf(HasSubstr("No space left on device"), HasSubstr(disk_.path())));
  EXPECT_THAT(HttpGet(cluster_->driver().http, "/healthz"), HasSubstr("\r\n\r\nok\n"));
  ExpectCounted("b");
  // A worker that is lost is replaced.
  const pid_t worker = cluster_->AwaitWorker("a");
  ASSERT_GT(worker, 0);
  ASSERT_EQ(::kill(worker, SIGKILL), 0);
  peer_ = server_.Accept();
  ExpectCounted("c");
  disk_.Free();
  for (const std::string& script : {known, unknown}) {
    const TestCluster::Finished finished =
        cluster_->Submit({"--deploy-mode", "cluster", "--wait", script});
    EXPECT_EQ(finished.exit_code, 0) << finished.out << finished.err;
  }
  program_->Signal(SIGTERM);
  EXPECT_EQ(program_->AwaitExit(), 0) << program_->Describe();
}

TEST(FullArtifactStoreTest, RefusesWhatHasNoRoomAndRunsTheRest) {
  TestCluster cluster(TestCluster::Options{.driver_flags = {"--artifact_bytes_max=10000000"}});
  cluster.AddExecutor("a", 1);
  const TestCluster::Finished small =
      cluster.Submit({std::string(MILLRACE_TEST_PROGRAMS) + "/numbers_by_key"});
  EXPECT_EQ(small.exit_code, 0) << small.err;
  const std::string file = cluster.Script("file", std::string(7'000'000, '#'));
  const std::string script = cluster.Script("script", "echo fits\n");
  for (const char* mode : {"client", "cluster"}) {
    const TestCluster::Finished refused = cluster.Submit(
        {"--deploy-mode", mode, "--files", file,
         mode == std::string("client") ? std::string(MILLRACE_TEST_PROGRAMS) + "/numbers_by_key"
                                       : script});
    EXPECT_EQ(refused.exit_code, 1) << refused.out;
    EXPECT_THAT(refused.err, HasSubstr("--artifact_bytes_max"));
  }
  const TestCluster::Finished fits = cluster.Submit({"--deploy-mode", "cluster", "--wait", script});
  EXPECT_EQ(fits.exit_code, 0) << fits.out << fits.err;
}

}  // namespace
}  // namespace millrace
