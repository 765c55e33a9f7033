// The word count on worker processes: what it prints, and who may not join it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/commands.h"
#include "tests/support/printed_batches.h"
#include "tests/support/process.h"
#include "tests/support/tcp_server.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using Counts = std::map<std::string, int64_t>;
using Environment = std::map<std::string, std::string>;

Command WordCount(const TcpServer& server, Command settings = {}) {
  settings.insert(settings.begin(),
                  {"127.0.0.1", server.port_text(), Setting("master=local-cluster[2,1,256]")});
  return Example("network_word_count", settings);
}

bool AwaitCounts(Process& program, const Counts& counts) {
  return program.AwaitText(
      Process::kOut, [&counts](const std::string& text) { return SumCounts(text) == counts; });
}

// The processes that a program has started.
std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  const std::string tasks = "/proc/" + std::to_string(parent) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::ifstream file(task.path() / "children");
    children.insert(children.end(), std::istream_iterator<pid_t>(file), {});
  }
  return children;
}

Environment EnvironmentOf(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/environ");
  Environment environment;
  for (std::string entry; std::getline(file, entry, '\0');) {
    const size_t equals = entry.find('=');
    if (equals != std::string::npos && entry.starts_with("MILLRACE_")) {
      environment[entry.substr(0, equals)] = entry.substr(equals + 1);
    }
  }
  return environment;
}

// A program in the role that the environment gives it.
Command With(const Environment& environment, const Command& program) {
  Command command{"/usr/bin/env"};
  for (const auto& [name, value] : environment) command.push_back(absl::StrCat(name, "=", value));
  command.insert(command.end(), program.begin(), program.end());
  return command;
}

class LocalClusterTest : public ::testing::Test {
 protected:
  // Counts a line, so both workers are there.
  void StartCounting() {
    peer_.emplace(server_.Accept());
    peer_->Send("to be or not to be\n");
    ASSERT_TRUE(AwaitCounts(program_, {{"to", 2}, {"be", 2}, {"or", 1}, {"not", 1}}))
        << program_.Describe();
    const std::vector<pid_t> workers = ChildrenOf(program_.pid());
    ASSERT_THAT(workers, SizeIs(2));
    environment_ = EnvironmentOf(workers[0]);
    environment_["MILLRACE_WORKER_ID"] = "99";
  }
  void ExpectItStillCounts() {
    peer_->Send("still here\n");
    EXPECT_TRUE(AwaitCounts(
        program_, {{"to", 2}, {"be", 2}, {"or", 1}, {"not", 1}, {"still", 1}, {"here", 1}}))
        << program_.Describe();
    program_.Signal(SIGTERM);
    EXPECT_EQ(program_.AwaitExit(), 0) << program_.Describe();
  }

  TempDir directory_;
  TcpServer server_;
  Process program_{WordCount(server_, {Setting("local.dir=" + directory_.path())})};
  std::optional<TcpPeer> peer_;
  Environment environment_;  // Of one more worker.
};

TEST_F(LocalClusterTest, CountsAndCleansUp) {
  StartCounting();
  std::string much;
  for (int i = 0; i < 20'000; ++i) much += "so much\n";
  peer_->Send(much);
  ASSERT_TRUE(AwaitCounts(
      program_, {{"to", 2}, {"be", 2}, {"or", 1}, {"not", 1}, {"so", 20'000}, {"much", 20'000}}))
      << program_.Describe();
  const std::vector<pid_t> workers = ChildrenOf(program_.pid());
  program_.Signal(SIGTERM);
  EXPECT_EQ(program_.AwaitExit(), 0) << program_.Describe();
  EXPECT_EQ(program_.text(Process::kErr),
            "\nStopping: what was received is still processed. Once more to stop at once.\n");
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
  for (const pid_t worker : workers) EXPECT_NE(kill(worker, 0), 0) << "it is still there";
}

TEST_F(LocalClusterTest, WorkersEndWithAProgramThatIsKilled) {
  StartCounting();
  program_.Signal(SIGKILL);
  // They hold its standard error, which ends when they do.
  EXPECT_EQ(program_.AwaitExit(), 128 + SIGKILL) << program_.Describe();
}

TEST_F(LocalClusterTest, AnotherBinaryIsRefused) {
  StartCounting();
  Process stranger(With(environment_, Example("join_streams", {})));
  EXPECT_EQ(stranger.AwaitExit(), 1) << stranger.Describe();
  EXPECT_THAT(stranger.text(Process::kErr), HasSubstr("worker 99 runs another binary"));
  ExpectItStillCounts();
}

TEST_F(LocalClusterTest, AWorkerThatNobodyAskedForIsRefused) {
  StartCounting();
  Process stranger(With(environment_, Example("network_word_count", {})));
  EXPECT_EQ(stranger.AwaitExit(), 1) << stranger.Describe();
  EXPECT_THAT(stranger.text(Process::kErr), HasSubstr("worker 99 is not one of ours"));
  ExpectItStillCounts();
}

TEST_F(LocalClusterTest, AWrongSecretIsRefused) {
  StartCounting();
  const std::string secret = directory_.path() + "/secret";
  std::ofstream(secret) << "quite another secret";
  std::filesystem::permissions(secret, std::filesystem::perms::owner_read);
  environment_["MILLRACE_AUTH_SECRET_FILE"] = secret;
  Process stranger(With(environment_, Example("network_word_count", {})));
  EXPECT_EQ(stranger.AwaitExit(), 1) << stranger.Describe();
  EXPECT_THAT(stranger.text(Process::kErr), HasSubstr("secret is missing or wrong"));
  ExpectItStillCounts();
}

TEST_F(LocalClusterTest, GarbageIsRefused) {
  StartCounting();
  const std::string& address = environment_["MILLRACE_DRIVER_ADDRESS"];
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in driver{};
  driver.sin_family = AF_INET;
  driver.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  driver.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&driver), sizeof driver), 0);
  const std::string garbage(100'000, '\xee');
  EXPECT_GT(send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL), 0);
  char byte = 0;
  while (recv(fd, &byte, 1, 0) > 0) {  // Until the driver ends the connection.
  }
  close(fd);
  ExpectItStillCounts();
}

TEST_F(LocalClusterTest, SettingsOfARoleThatAreWrongAreNamed) {
  StartCounting();
  environment_["MILLRACE_WORKER_CORES"] = "many";
  Process stranger(With(environment_, Example("network_word_count", {})));
  EXPECT_EQ(stranger.AwaitExit(), 2) << stranger.Describe();
  EXPECT_THAT(stranger.text(Process::kErr), HasSubstr("MILLRACE_WORKER_CORES is 'many'"));
  ExpectItStillCounts();
}

TEST(ProgramFlagsTest, AreTheSameInWorkers) {
  for (const char* master : {"local[2]", "local-cluster[2,1,64]"}) {
    Process program(Program(
        "flag_times", {"--factor", "7", "--negate", Setting(std::string("master=") + master)}));
    EXPECT_EQ(program.NextLine(Process::kOut), "OK -42") << program.Describe();
    EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  }
}

TEST(LostDriverTest, AWorkerWithoutADriverEndsAfterItsGrace) {
  TcpServer nobody(/*listening=*/false);
  TempDir directory;
  const Environment environment = {{"MILLRACE_ROLE", "worker"},
                                   {"MILLRACE_DRIVER_ADDRESS", "127.0.0.1:" + nobody.port_text()},
                                   {"MILLRACE_APP_ID", "app"},
                                   {"MILLRACE_WORKER_ID", "1"},
                                   {"MILLRACE_WORKER_CORES", "1"},
                                   {"MILLRACE_WORKER_MEMORY_MB", "64"},
                                   {"MILLRACE_WORKER_HOST", "127.0.0.1"},
                                   {"MILLRACE_WORK_DIR", directory.path()}};
  Process worker(With(environment, Example("network_word_count", {})));
  EXPECT_EQ(worker.AwaitExit(), 1) << worker.Describe();
  EXPECT_THAT(worker.text(Process::kErr), HasSubstr("has been out of reach for 10 s"));
}

}  // namespace
}  // namespace millrace
