// A cluster of daemons: programs in both modes, and what dies while they run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <map>
#include <string>

#include "tests/integration/test_cluster.h"
#include "tests/support/printed_batches.h"
#include "tests/support/tcp_server.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Counts = std::map<std::string, int64_t>;

Command WordCount(const TcpServer& server, Command options = {}) {
  options.insert(options.end(), {"--conf", "millrace.streaming.blockInterval=50ms",
                                 std::string(MILLRACE_TEST_EXAMPLES) + "/network_word_count",
                                 "127.0.0.1", server.port_text()});
  return options;
}

bool AwaitCounts(Process& program, const Counts& counts) {
  return program.AwaitText(
      Process::kOut, [&counts](const std::string& text) { return SumCounts(text) == counts; });
}

TEST(ClientModeTest, CountsOnWorkersAndEndsGracefully) {
  TestCluster cluster;
  cluster.AddExecutor("a", 1);
  cluster.AddExecutor("b", 1);
  TcpServer server;
  Process program(cluster.SubmitCommand(WordCount(server)));
  TcpPeer peer = server.Accept();
  peer.Send("to be or\nnot to be\n");
  ASSERT_TRUE(AwaitCounts(program, {{"to", 2}, {"be", 2}, {"or", 1}, {"not", 1}}))
      << program.Describe();
  EXPECT_GT(cluster.AwaitWorker("a"), 0);
  EXPECT_GT(cluster.AwaitWorker("b"), 0);
  const std::string list = cluster.Submit({"--list"}).out;
  EXPECT_THAT(list, HasSubstr("executors: 2"));
  EXPECT_THAT(list, HasSubstr("NetworkWordCount  2 cores in 2 workers  running"));
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  EXPECT_TRUE(Eventually([&] {
    return cluster.WorkerPids("a").empty() && cluster.WorkerPids("b").empty() &&
           cluster.Submit({"--list"}).out.find("0 cores in 0 workers  ended") != std::string::npos;
  }));
}

TEST(ClientModeTest, AnExecutorThatComesLaterIsUsedToo) {
  TestCluster cluster;
  cluster.AddExecutor("a", 1);
  TcpServer server;
  Process program(cluster.SubmitCommand(WordCount(server)));
  TcpPeer peer = server.Accept();
  cluster.AddExecutor("b", 2);
  EXPECT_GT(cluster.AwaitWorker("b"), 0) << program.Describe();
  EXPECT_TRUE(Eventually([&] {
    return cluster.Submit({"--list"}).out.find("3 cores in 2 workers  running") !=
           std::string::npos;
  }));
  peer.Send("to be\n");
  EXPECT_TRUE(AwaitCounts(program, {{"to", 1}, {"be", 1}})) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

TEST(ClientModeTest, WorkersGoWithADriverThatIsKilled) {
  TestCluster cluster;
  cluster.AddExecutor("a", 1);
  TcpServer server;
  Process program(cluster.SubmitCommand(WordCount(server)));
  TcpPeer peer = server.Accept();
  const pid_t worker = cluster.AwaitWorker("a");
  ASSERT_GT(worker, 0);
  program.Signal(SIGKILL);  // millrace-submit, and the program dies with it.
  EXPECT_TRUE(Eventually([&] { return !IsRunning(worker); }));
  EXPECT_TRUE(Eventually([&] {
    return cluster.Submit({"--list"}).out.find("its driver is gone") != std::string::npos ||
           cluster.Submit({"--list"}).out.find("failed") != std::string::npos;
  }));
}

TEST(ClientModeTest, AWorkerThatIsKilledIsReplacedAndSaidWhy) {
  TestCluster cluster;
  Daemon& executor = cluster.AddExecutor("a", 1);
  TcpServer server;
  Process program(cluster.SubmitCommand(WordCount(server)));
  TcpPeer peer = server.Accept();
  peer.Send("a\n");
  ASSERT_TRUE(AwaitCounts(program, {{"a", 1}})) << program.Describe();
  const pid_t worker = cluster.AwaitWorker("a");
  ASSERT_GT(worker, 0);
  ASSERT_EQ(::kill(worker, SIGKILL), 0);
  TcpPeer again = server.Accept();
  again.Send("b\n");
  EXPECT_TRUE(AwaitCounts(program, {{"a", 1}, {"b", 1}})) << program.Describe();
  EXPECT_TRUE(executor.process->Await(Process::kErr, "killed by signal 9 (Killed)"))
      << executor.process->Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

TEST(ClientModeTest, AnExecutorDaemonThatIsKilledTakesItsWorkersAndAnotherTakesTheirPlace) {
  TestCluster cluster;
  Daemon& executor = cluster.AddExecutor("a", 1);
  TcpServer server;
  Process program(cluster.SubmitCommand(WordCount(server, {"--num-executors", "1"})));
  TcpPeer peer = server.Accept();
  peer.Send("a\n");
  ASSERT_TRUE(AwaitCounts(program, {{"a", 1}})) << program.Describe();
  const pid_t worker = cluster.AwaitWorker("a");
  ASSERT_GT(worker, 0);
  cluster.AddExecutor("b", 1);
  executor.Kill();
  EXPECT_TRUE(Eventually([&] { return !IsRunning(worker); }));
  TcpPeer again = server.Accept();
  EXPECT_GT(cluster.AwaitWorker("b"), 0);
  again.Send("b\n");
  EXPECT_TRUE(AwaitCounts(program, {{"a", 1}, {"b", 1}})) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

TEST(ClientModeTest, ADriverDaemonThatIsKilledStopsNothingAndTheNextOneKnows) {
  TestCluster cluster;
  Daemon& executor = cluster.AddExecutor("a", 1);
  TcpServer server;
  Process program(cluster.SubmitCommand(WordCount(server)));
  TcpPeer peer = server.Accept();
  peer.Send("a\n");
  ASSERT_TRUE(AwaitCounts(program, {{"a", 1}})) << program.Describe();
  cluster.KillDriver();
  EXPECT_TRUE(executor.process->Await(Process::kErr, "no connection")) << "it has noticed";
  peer.Send("b\n");
  EXPECT_TRUE(AwaitCounts(program, {{"a", 1}, {"b", 1}})) << program.Describe();
  cluster.RestartDriver();
  EXPECT_TRUE(Eventually([&] {
    return cluster.Submit({"--list"}).out.find("1 cores in 1 workers  running") !=
           std::string::npos;
  })) << cluster.Submit({"--list"}).out;
  // It works with them again.
  const pid_t worker = cluster.AwaitWorker("a");
  ASSERT_GT(worker, 0);
  ASSERT_EQ(::kill(worker, SIGKILL), 0);
  TcpPeer again = server.Accept();
  again.Send("c\n");
  EXPECT_TRUE(AwaitCounts(program, {{"a", 1}, {"b", 1}, {"c", 1}})) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

TEST(ClientModeTest, ADriverDaemonThatIsStoppedTakesNoWorkers) {
  TestCluster cluster;
  Daemon& executor = cluster.AddExecutor("a", 1);
  TcpServer server;
  Process program(cluster.SubmitCommand(WordCount(server)));
  TcpPeer peer = server.Accept();
  const pid_t worker = cluster.AwaitWorker("a");
  ASSERT_GT(worker, 0);
  cluster.driver().process->Signal(SIGTERM);
  EXPECT_EQ(cluster.driver().process->AwaitExit(), 0) << cluster.driver().process->Describe();
  EXPECT_TRUE(executor.process->Await(Process::kErr, "no connection")) << "it has noticed";
  EXPECT_TRUE(program.Await(Process::kErr, "no connection")) << program.Describe();
  cluster.RestartDriver();
  EXPECT_TRUE(Eventually([&] {
    return cluster.Submit({"--list"}).out.find("1 cores in 1 workers  running") !=
           std::string::npos;
  })) << cluster.Submit({"--list"}).out;
  peer.Send("a\n");
  EXPECT_TRUE(AwaitCounts(program, {{"a", 1}})) << program.Describe();
  EXPECT_EQ(cluster.WorkerPids("a"), std::vector<pid_t>{worker});
  EXPECT_THAT(program.text(Process::kErr), Not(HasSubstr("lost")));
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

TEST(ClientModeTest, AFunctionThatCrashesTakesItsWorkerAndSaysWhy) {
  TestCluster cluster;
  cluster.AddExecutor("a", 1);
  TcpServer server;
  Process program(cluster.SubmitCommand(
      {std::string(MILLRACE_TEST_PROGRAMS) + "/misbehaving_function", server.port_text()}));
  TcpPeer peer = server.Accept();
  peer.Send("crash\n");
  EXPECT_TRUE(program.Await(Process::kErr, "killed by signal 11 (Segmentation fault)"))
      << program.Describe();
  EXPECT_TRUE(program.Await(Process::kErr, "about to crash")) << "the end of its stderr";
  EXPECT_EQ(cluster.Submit({"--list"}).exit_code, 0) << "the daemons live";
}

TEST(ClientModeTest, WithoutRoomItSaysWhatIsMissing) {
  TestCluster cluster;
  cluster.AddExecutor("a", 4);
  TcpServer server;
  Process program(cluster.SubmitCommand(WordCount(server, {"--executor-cores", "8"})));
  EXPECT_TRUE(program.Await(Process::kErr, "no executor has 8 cores: the largest has 4"))
      << program.Describe();
}

TEST(ClusterModeTest, CountsThereAndIsEndedByAKill) {
  TestCluster cluster;
  cluster.AddExecutor("a", 1);
  TcpServer server;
  const std::string empty_file = cluster.path() + "/empty";
  std::ofstream(empty_file).close();
  const std::string id = cluster.SubmitToCluster(WordCount(server, {"--files", empty_file}));
  TcpPeer peer = server.Accept();
  peer.Send("to be or\nnot to be\n");
  const auto logs = [&] { return cluster.Submit({"--logs", id}).out; };
  const Counts counts = {{"to", 2}, {"be", 2}, {"or", 1}, {"not", 1}};
  EXPECT_TRUE(Eventually([&] { return SumCounts(logs()) == counts; })) << logs();
  EXPECT_THAT(cluster.Submit({"--status", id}).out,
              HasSubstr("RUNNING, attempt 1, application app-"));
  const auto killed = cluster.Submit({"--kill", id, "--wait"});
  EXPECT_EQ(killed.exit_code, 0) << killed.err;
  EXPECT_THAT(killed.out, HasSubstr("KILLED"));
  EXPECT_EQ(SumCounts(logs()), counts);
  EXPECT_EQ(cluster.Submit({"--kill", id}).exit_code, 1) << "it has ended";
}

TEST(ClusterModeTest, ItsDriverOutlivesTheDaemonAndIsKnownToTheNext) {
  TestCluster cluster;
  cluster.AddExecutor("a", 1);
  TcpServer server;
  const std::string id = cluster.SubmitToCluster(WordCount(server));
  TcpPeer peer = server.Accept();
  const std::string waits =
      cluster.SubmitToCluster({cluster.Script("waits", "while [ ! -e " + cluster.path() +
                                                           "/go ]; do sleep 0.05; done\n"
                                                           "touch " +
                                                           cluster.path() + "/gone; exit 5\n")});
  ASSERT_TRUE(cluster.AwaitState(waits, "RUNNING"));
  cluster.KillDriver();
  // One of them ends while there is no daemon.
  cluster.Script("go", "");
  EXPECT_TRUE(Eventually([&] { return ::access((cluster.path() + "/gone").c_str(), F_OK) == 0; }));
  cluster.RestartDriver();
  EXPECT_TRUE(cluster.AwaitState(waits, "FAILED"));
  EXPECT_THAT(cluster.Submit({"--status", waits}).out, HasSubstr("exited with 5"));
  EXPECT_TRUE(cluster.AwaitState(id, "RUNNING"));
  peer.Send("a b\n");
  EXPECT_TRUE(Eventually([&] {
    return SumCounts(cluster.Submit({"--logs", id}).out) == Counts{{"a", 1}, {"b", 1}};
  }));
  EXPECT_THAT(cluster.Submit({"--kill", id, "--wait"}).out, HasSubstr("KILLED"));
}

TEST(ClusterModeTest, SupervisedItIsStartedAgain) {
  TestCluster cluster;
  const std::string mark = cluster.path() + "/mark";
  const std::string script =
      cluster.Script("flaky", "if [ -e " + mark +
                                  " ]; then cat words.txt; exit 0; fi\n"
                                  "touch " +
                                  mark + "; echo first >&2; kill -SEGV $$\n");
  cluster.Script("words.txt", "some words\n");
  const auto finished = cluster.Submit({"--deploy-mode", "cluster", "--supervise", "--wait",
                                        "--files", cluster.path() + "/words.txt", script});
  EXPECT_EQ(finished.exit_code, 0) << finished.out << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("FINISHED, attempt 2"));
  const std::string id = finished.out.substr(0, finished.out.find('\n'));
  const auto logs = cluster.Submit({"--logs", id});
  EXPECT_THAT(logs.out, HasSubstr("some words"));
  EXPECT_EQ(logs.err, "first\n");
}

TEST(ClusterModeTest, WhoeverWaitsForTheEndWaitsOnWhileTheDaemonIsAway) {
  TestCluster cluster;
  const std::string mark = cluster.path() + "/mark";
  Process submit(cluster.SubmitCommand(
      {"--deploy-mode", "cluster", "--wait",
       cluster.Script("waits", "while [ ! -e " + mark + " ]; do sleep 0.02; done\n")}));
  ASSERT_TRUE(submit.Await(Process::kOut, "driver-")) << submit.Describe();
  cluster.KillDriver();
  cluster.RestartDriver();
  std::ofstream(mark).close();
  EXPECT_EQ(submit.AwaitExit(), 0) << submit.Describe();
  EXPECT_THAT(submit.text(Process::kOut), HasSubstr("FINISHED, attempt 1"));
}

TEST(ClusterModeTest, AProgramThatCrashesIsReportedWithItsCause) {
  TestCluster cluster;
  const std::string script = cluster.Script("crash", "echo last words >&2; kill -SEGV $$\n");
  const auto finished = cluster.Submit({"--deploy-mode", "cluster", "--wait", script});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.out, HasSubstr("killed by signal 11 (Segmentation fault)"));
  EXPECT_THAT(finished.out, HasSubstr("last words"));
  const auto json = cluster.Submit({"--deploy-mode", "cluster", "--wait", "--json", script});
  EXPECT_THAT(json.out, HasSubstr("\"signal\": 11"));
}

TEST(DaemonPagesTest, SayWhatRunsWhere) {
  TestCluster cluster;
  const Daemon& executor = cluster.AddExecutor("a", 2);
  TcpServer server;
  Process program(cluster.SubmitCommand(WordCount(server)));
  TcpPeer peer = server.Accept();
  const std::string& driver = cluster.driver().http;
  EXPECT_THAT(HttpGet(driver, "/healthz"), HasSubstr("\r\n\r\nok\n"));
  EXPECT_THAT(HttpGet(driver, "/metrics"), HasSubstr("\nmillrace_cores_used 2\n"));
  EXPECT_THAT(HttpGet(driver, "/api/v1/applications"), HasSubstr("\"name\": \"NetworkWordCount\""));
  EXPECT_THAT(HttpGet(driver, "/json"), HasSubstr("\"coresUsed\": 2"));
  EXPECT_THAT(HttpGet(driver, "/"), HasSubstr("<td>2 of 2</td>"));
  EXPECT_THAT(HttpGet(driver, "/none"), HasSubstr(" 404 "));
  EXPECT_THAT(HttpGet(executor.http, "/healthz"), HasSubstr("\r\n\r\nok\n"));
  EXPECT_THAT(HttpGet(executor.http, "/metrics"), HasSubstr("\nmillrace_executor_workers 1\n"));
  EXPECT_THAT(HttpGet(executor.http, "/"), HasSubstr("worker 1 of app-"));
}

TEST(DaemonSafetyTest, WhoDoesNotKnowTheSecretIsRefused) {
  TestCluster cluster;
  const std::string wrong = cluster.Script("wrong", "not the secret of the test");
  Process executor(
      MakeCommand(MILLRACE_TEST_BIN, "millrace-executor",
                  {"--driver=" + cluster.driver().grpc, "--http_port=0",
                   "--work_dir=" + cluster.path() + "/x", "--auth_secret_file=" + wrong}));
  EXPECT_EQ(executor.AwaitExit(), 1) << executor.Describe();
  EXPECT_THAT(executor.text(Process::kErr), HasSubstr("the shared secret is missing or wrong"));
  Process submit(
      MakeCommand(MILLRACE_TEST_BIN, "millrace-submit", {"--master", cluster.master(), "--list"}));
  EXPECT_EQ(submit.AwaitExit(), 1);
  EXPECT_THAT(submit.text(Process::kErr), HasSubstr("--auth_secret_file"));
  EXPECT_THAT(HttpGet(cluster.driver().http, "/metrics"),
              HasSubstr("millrace_rpc_refused_total{reason=\"secret\"} 2"));
}

TEST(DaemonSafetyTest, NoDaemonListensBeyondTheMachineWithoutASecret) {
  TempDir dir;
  Process driver(MakeCommand(MILLRACE_TEST_BIN, "millrace-driver",
                             {"--host=0.0.0.0", "--port=0", "--state_dir=" + dir.path()}));
  EXPECT_EQ(driver.AwaitExit(), 1);
  EXPECT_THAT(driver.text(Process::kErr), HasSubstr("--insecure"));
}

TEST(DaemonSafetyTest, AnApplicationListensBeyondTheMachineOnlyWithASecretToo) {
  Process program(
      MakeCommand(MILLRACE_TEST_BIN, "millrace-submit",
                  {"--conf", "millrace.driver.host=0.0.0.0", "--master", "millrace://127.0.0.1:1",
                   std::string(MILLRACE_TEST_EXAMPLES) + "/network_word_count", "127.0.0.1", "1"}));
  EXPECT_EQ(program.AwaitExit(), 1);
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("millrace.authenticate.secretFile"));
}

TEST(DaemonSafetyTest, AskedForHelpADaemonNamesItsFlags) {
  for (const char* name : {"millrace-driver", "millrace-executor"}) {
    Process daemon(MakeCommand(MILLRACE_TEST_BIN, name, {"--help"}));
    EXPECT_EQ(daemon.AwaitExit(), 0);
    EXPECT_THAT(daemon.text(Process::kOut), HasSubstr("auth_secret_file"));
    EXPECT_THAT(daemon.text(Process::kOut), HasSubstr("http_port"));
    EXPECT_THAT(daemon.text(Process::kOut), Not(HasSubstr("logtostderr")));
  }
}

TEST(DaemonSafetyTest, TwoDriverDaemonsDoNotShareADirectoryOrAPort) {
  TestCluster cluster;
  Process same_dir(MakeCommand(MILLRACE_TEST_BIN, "millrace-driver",
                               {"--port=0", "--state_dir=" + cluster.path() + "/driver"}));
  EXPECT_EQ(same_dir.AwaitExit(), 1);
  EXPECT_THAT(same_dir.text(Process::kErr), HasSubstr("another millrace-driver uses"));
  const std::string& grpc = cluster.driver().grpc;
  Process same_port(MakeCommand(MILLRACE_TEST_BIN, "millrace-driver",
                                {"--port=" + grpc.substr(grpc.rfind(':') + 1), "--http_port=0",
                                 "--state_dir=" + cluster.path() + "/other"}));
  EXPECT_EQ(same_port.AwaitExit(), 1);
  EXPECT_THAT(same_port.text(Process::kErr), HasSubstr("is the port taken?"));
}

TEST(SubmitTest, RunsAProgramHereAndSaysHowItEnded) {
  TestCluster cluster;
  const auto run = [&](const std::string& text) {
    Process process(MakeCommand(MILLRACE_TEST_BIN, "millrace-submit",
                                {"--name", "n", cluster.Script("program", text), "a b"}));
    EXPECT_TRUE(process.AwaitExit().has_value());
    return std::pair(process.AwaitExit(),
                     process.text(Process::kOut) + process.text(Process::kErr));
  };
  EXPECT_EQ(run("echo \"$@\"").second, "--millrace_conf=millrace.app.name=n a b\n");
  EXPECT_EQ(run("exit 0").first, 0);
  EXPECT_EQ(run("exit 3").first, 1);
  EXPECT_THAT(run("kill -SEGV $$").second, HasSubstr("killed by signal 11"));
}

TEST(SubmitTest, WithoutADaemonItSaysSo) {
  TestCluster cluster;
  cluster.KillDriver();
  const auto list = cluster.Submit({"--list"});
  EXPECT_EQ(list.exit_code, 1);
  EXPECT_THAT(list.err, HasSubstr("does millrace-driver run there?"));
}

}  // namespace
}  // namespace millrace
