#include "tests/integration/test_cluster.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "absl/strings/numbers.h"

namespace millrace {

namespace {

namespace stdfs = std::filesystem;

Command Installed(const std::string& name, Command arguments) {
  return MakeCommand(MILLRACE_TEST_BIN, name, std::move(arguments));
}

std::string ReadFile(const stdfs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Daemon StartDaemon(const Command& command, const std::function<bool()>& before) {
  Daemon daemon;
  Process::Options options;
  options.before = before;
  daemon.process = std::make_unique<Process>(command, options);
  const std::string line = daemon.process->NextLine(Process::kOut).value_or("");
  const size_t grpc = line.find(" ready: grpc=");
  const size_t http = line.find(" http=");
  EXPECT_TRUE(grpc != std::string::npos && http != std::string::npos)
      << line << daemon.process->Describe();
  if (http == std::string::npos) return daemon;
  daemon.grpc = line.substr(grpc + 13, http - grpc - 13);
  daemon.http = line.substr(http + 6);
  return daemon;
}

}  // namespace

bool Eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    // What is waited for needs the processor too.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

bool IsRunning(pid_t pid) {
  const std::string stat = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  return !stat.empty() && stat.find(") Z ") == std::string::npos;
}

int64_t ResidentMb(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  int64_t total_pages = 0;
  int64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return (resident_pages * ::sysconf(_SC_PAGESIZE)) >> 20;
}

std::string HttpGet(const std::string& address, const std::string& path) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  const size_t colon = address.rfind(':');
  EXPECT_EQ(::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr), 1) << address;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0) << address;
  const std::string request =
      "GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  char bytes[4096];
  for (ssize_t size; (size = ::recv(fd, bytes, sizeof(bytes), 0)) > 0;) {
    answer.append(bytes, static_cast<size_t>(size));
  }
  ::close(fd);
  return answer;
}

TestCluster::TestCluster() : TestCluster(Options()) {}

TestCluster::TestCluster(Options options) : options_(std::move(options)) {
  std::ofstream(secret_file()) << "the secret of a test\n";
  EXPECT_EQ(::chmod(secret_file().c_str(), 0600), 0);
  driver_ = StartDriver("0");
}

TestCluster::~TestCluster() {
  driver_.Kill();
  driver_.process->AwaitExit();
  // Drivers in the cluster outlive the daemon: that is what they are for.
  std::error_code ignored;
  for (const auto& entry : stdfs::recursive_directory_iterator(StateDir() + "/runs", ignored)) {
    if (entry.path().filename() != "pid") continue;
    const int pid = std::atoi(ReadFile(entry.path()).c_str());
    if (pid > 1 && !stdfs::exists(entry.path().parent_path() / "exit")) ::kill(pid, SIGKILL);
  }
}

void TestCluster::RestartDriver() {
  driver_.process->AwaitExit();
  driver_ = StartDriver(driver_.grpc.substr(driver_.grpc.rfind(':') + 1));
}

Daemon TestCluster::StartDriver(const std::string& port) const {
  Command arguments = {"--host=" + options_.host,
                       "--port=" + port,
                       "--http_port=0",
                       "--state_dir=" + StateDir(),
                       "--auth_secret_file=" + secret_file(),
                       "--application_grace_ms=2000"};
  arguments.insert(arguments.end(), options_.driver_flags.begin(), options_.driver_flags.end());
  return StartDaemon(Installed("millrace-driver", arguments), /*before=*/nullptr);
}

Daemon& TestCluster::AddExecutor(const std::string& name, int cores, const Command& flags,
                                 const std::function<bool()>& before) {
  Command arguments = {"--driver=" + driver_.grpc,
                       "--cores=" + std::to_string(cores),
                       "--memory_mb=8192",
                       "--http_port=0",
                       "--work_dir=" + path() + "/" + name,
                       "--auth_secret_file=" + secret_file()};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  executors_.push_back(
      std::make_unique<Daemon>(StartDaemon(Installed("millrace-executor", arguments), before)));
  EXPECT_TRUE(executors_.back()->process->Await(Process::kErr, "registered with"))
      << executors_.back()->process->Describe();
  return *executors_.back();
}

Command TestCluster::SubmitCommand(const Command& arguments) const {
  Command command = {"--master", master(), "--auth_secret_file", secret_file()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return Installed("millrace-submit", command);
}

TestCluster::Finished TestCluster::Submit(const Command& arguments) const {
  Process process(SubmitCommand(arguments));
  Finished finished;
  finished.exit_code = process.AwaitExit().value_or(-1);
  finished.out = process.text(Process::kOut);
  finished.err = process.text(Process::kErr);
  return finished;
}

std::string TestCluster::SubmitToCluster(const Command& arguments) const {
  Command command = {"--deploy-mode", "cluster"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Finished finished = Submit(command);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return finished.out.substr(0, finished.out.find('\n'));
}

bool TestCluster::AwaitState(const std::string& submission_id, const std::string& state) const {
  return Eventually([&] {
    const Finished finished = Submit({"--status", submission_id});
    return finished.out.find("): " + state) != std::string::npos;
  });
}

pid_t TestCluster::DriverPid(const std::string& submission_id) const {
  std::error_code ignored;
  for (const auto& entry :
       stdfs::directory_iterator(StateDir() + "/runs/" + submission_id, ignored)) {
    if (!stdfs::exists(entry.path() / "pid") || stdfs::exists(entry.path() / "exit")) continue;
    // The only child of its runner.
    const std::string runner = ReadFile(entry.path() / "pid");
    const int pid =
        std::atoi(ReadFile("/proc/" + runner + "/task/" + runner + "/children").c_str());
    if (pid > 1) return pid;
  }
  return -1;
}

std::optional<int64_t> TestCluster::LastNumberPrinted(const std::string& submission_id) const {
  constexpr int64_t kLineBytesMax = 100;
  std::ifstream file(StateDir() + "/runs/" + submission_id + "/stdout", std::ios::ate);
  const auto size = static_cast<int64_t>(file.tellg());
  if (size <= 0) return std::nullopt;
  file.seekg(std::max<int64_t>(0, size - kLineBytesMax));
  std::string text(std::istreambuf_iterator<char>(file), {});
  const size_t end = text.rfind('\n');
  if (end == std::string::npos) return std::nullopt;
  text.resize(end);
  int64_t number = 0;
  // What stands behind the line end before; npos + 1 is 0.
  if (!absl::SimpleAtoi(text.substr(text.rfind('\n') + 1), &number)) return std::nullopt;
  return number;
}

std::string TestCluster::Script(const std::string& name, const std::string& text) const {
  std::string script = path() + "/" + name;
  std::ofstream(script) << "#!/bin/sh\n" << text;
  EXPECT_EQ(::chmod(script.c_str(), 0700), 0);
  return script;
}

pid_t TestCluster::AwaitWorker(const std::string& executor) const {
  std::vector<pid_t> pids;
  EXPECT_TRUE(Eventually([&] {
    pids = WorkerPids(executor);
    return !pids.empty();
  })) << executor;
  return pids.empty() ? -1 : pids[0];
}

std::vector<pid_t> TestCluster::WorkerPids(const std::string& executor) const {
  std::vector<pid_t> pids;
  std::error_code ignored;
  for (const auto& entry :
       stdfs::recursive_directory_iterator(path() + "/" + executor + "/applications", ignored)) {
    if (entry.path().filename() != "pid") continue;
    const int pid = std::atoi(ReadFile(entry.path()).c_str());
    if (pid > 1) pids.push_back(pid);
  }
  return pids;
}

}  // namespace millrace
