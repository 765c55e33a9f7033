// What a user's first program costs: its memory while it runs, and its compilation.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/bench/plain/text_server.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

// What the quickstart counts.
constexpr char kText[] = "/usr/share/common-licenses/GPL-3";

absl::StatusOr<double> PeakMebibytes(pid_t process) {
  std::ifstream status(absl::StrCat("/proc/", process, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (!absl::StartsWith(line, "VmHWM:")) continue;
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    double kibibytes = 0;
    if (words.size() == 3 && absl::SimpleAtod(words[1], &kibibytes)) return kibibytes / 1024;
  }
  return absl::NotFoundError("no VmHWM in the process's status");
}

// The network word count as a process, its output to be read.
class WordCountProcess {
 public:
  static absl::StatusOr<std::unique_ptr<WordCountProcess>> Start(int port) {
    int output[2];
    if (::pipe(output) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, output[0]);
    posix_spawn_file_actions_addclose(&actions, output[1]);
    std::string program = BENCH_WORD_COUNT;
    std::string host = "127.0.0.1";
    std::string port_text = absl::StrCat(port);
    char* argv[] = {program.data(), host.data(), port_text.data(), nullptr};
    auto process = std::make_unique<WordCountProcess>();
    const int error =
        ::posix_spawn(&process->process_, program.c_str(), &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(output[1]);
    process->output_ = ::fdopen(output[0], "r");
    if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", program));
    return process;
  }
  ~WordCountProcess() {
    if (output_ != nullptr) std::fclose(output_);
    if (process_ == 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

  // Returns behind the first batch that has records.
  absl::Status AwaitCounts() {
    bool has_records = false;
    char line[4096];
    while (std::fgets(line, sizeof(line), output_) != nullptr) {
      if (line[0] == '(') has_records = true;
      if (line[0] == '\n' && has_records) return absl::OkStatus();
    }
    return absl::UnavailableError("the word count ended before it printed counts");
  }
  absl::StatusOr<double> PeakMebibytes() const { return bench::PeakMebibytes(process_); }

 private:
  pid_t process_ = 0;
  std::FILE* output_ = nullptr;
};

absl::StatusOr<double> MeasureMemory(TextServer& server) {
  auto process = WordCountProcess::Start(server.port());
  if (!process.ok()) return process.status();
  if (absl::Status status = server.AwaitConnection(); !status.ok()) return status;
  if (absl::Status status = server.Release(); !status.ok()) return status;
  if (absl::Status status = (*process)->AwaitCounts(); !status.ok()) return status;
  return (*process)->PeakMebibytes();
}

absl::StatusOr<std::string> OutputOf(const std::string& command) {
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("cannot run ", command));
  std::string output;
  char piece[4096];
  while (const size_t size = std::fread(piece, 1, sizeof(piece), pipe)) output.append(piece, size);
  if (const int status = ::pclose(pipe); status != 0) {
    return absl::InternalError(absl::StrCat(command, ": exit status ", status));
  }
  return output;
}

// The two commands with which the build makes the word count: the compiler's without its cache,
// and the linker's.
absl::StatusOr<std::vector<std::string>> BuildCommands() {
  const absl::StatusOr<std::string> all =
      OutputOf("ninja -C '" BENCH_BUILD_DIR "' -t commands network_word_count");
  if (!all.ok()) return all.status();
  std::vector<std::string> lines = absl::StrSplit(*all, '\n', absl::SkipEmpty());
  std::vector<std::string> commands;
  for (std::string& line : lines) {
    if (!absl::StrContains(line, "network_word_count.dir")) continue;
    const size_t cache = line.find("ccache ");
    if (cache != std::string::npos) line.erase(0, cache + sizeof("ccache ") - 1);
    commands.push_back(absl::StrCat("cd '" BENCH_BUILD_DIR "' && ", line));
  }
  if (commands.size() == 2) return commands;
  return absl::InternalError(
      absl::StrCat("the word count is built by ", commands.size(), " commands, not by two"));
}

}  // namespace

absl::StatusOr<std::vector<Figure>> ResidentMemory(const BenchOptions& options) {
  absl::StatusOr<TextServer> server = TextServer::Start(kText);
  if (!server.ok()) return server.status();
  std::vector<double> mebibytes;
  for (int run = 0; run < options.runs; ++run) {
    const absl::StatusOr<double> peak = MeasureMemory(*server);
    if (!peak.ok()) return peak.status();
    mebibytes.push_back(*peak);
  }
  return std::vector<Figure>{
      {Median(mebibytes), absl::StrFormat("peak, at most %.1f MiB", Quantile(mebibytes, 1))}};
}

absl::StatusOr<std::vector<Figure>> CompileTime(const BenchOptions& options) {
  const absl::StatusOr<std::vector<std::string>> commands = BuildCommands();
  if (!commands.ok()) return commands.status();
  std::vector<double> seconds;
  std::vector<double> link_seconds;
  for (int run = 0; run < options.runs; ++run) {
    const Stopwatch watch;
    if (auto compiled = OutputOf(commands->at(0)); !compiled.ok()) return compiled.status();
    const Stopwatch link_watch;
    if (auto linked = OutputOf(commands->at(1)); !linked.ok()) return linked.status();
    link_seconds.push_back(link_watch.Seconds());
    seconds.push_back(watch.Seconds());
  }
  return std::vector<Figure>{
      {Median(seconds), absl::StrFormat("link %.2f s of it", Median(link_seconds))}};
}

}  // namespace millrace::bench
