#include "tests/support/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace millrace {
namespace {

using Clock = std::chrono::steady_clock;

// The test's end and the child's.
struct Ends {
  int parent = -1;
  int child = -1;
};

Ends MakePipe() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
  return {.parent = fds[0], .child = fds[1]};
}

Ends MakeTerminal(unsigned short columns) {
  Ends ends;
  ends.parent = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  char name[64] = "";
  EXPECT_TRUE(grantpt(ends.parent) == 0 && unlockpt(ends.parent) == 0 &&
              ptsname_r(ends.parent, name, sizeof name) == 0);
  ends.child = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  winsize size{};
  size.ws_row = 50;
  size.ws_col = columns;
  EXPECT_EQ(ioctl(ends.child, TIOCSWINSZ, &size), 0);
  return ends;
}

void Close(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

}  // namespace

Process::Process(std::vector<std::string> argv) : Process(std::move(argv), Options()) {}

Process::Process(std::vector<std::string> argv, const Options& options) : argv_(std::move(argv)) {
  Ends out;
  Ends err;
  if (options.terminal == Terminal::kNone) {
    err = MakePipe();
  } else {
    err = MakeTerminal(options.columns);
  }
  if (options.terminal == Terminal::kBoth) {
    std::swap(out.parent, err.parent);
    out.child = err.child;
  } else if (!options.out_path.empty()) {
    out.child = open(options.out_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    EXPECT_GE(out.child, 0) << options.out_path;
  } else {
    out = MakePipe();
  }
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

  std::vector<char*> arguments;
  for (const std::string& argument : argv_)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = getpid();

  pid_ = fork();
  if (pid_ == 0) {
    // Nothing of a test outlives it, even if it crashes.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool ready = getppid() == parent && dup2(null, STDIN_FILENO) >= 0 &&
                       dup2(out.child, STDOUT_FILENO) >= 0 && dup2(err.child, STDERR_FILENO) >= 0 &&
                       (options.before == nullptr || options.before());
    if (ready) execv(arguments[0], arguments.data());
    _exit(kNotRun);
  }
  EXPECT_GT(pid_, 0) << "fork";
  Close(null);
  if (out.child != err.child) Close(out.child);
  Close(err.child);
  streams_[kOut].fd = out.parent;
  streams_[kErr].fd = err.parent;
  exit_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  EXPECT_GE(exit_fd_, 0) << "pidfd_open";
}

Process::~Process() {
  if (exit_fd_ >= 0) {
    kill(pid_, SIGKILL);
    Reap();
  }
  for (OpenStream& stream : streams_) Close(stream.fd);
}

void Process::Signal(int signal) const {
  ASSERT_FALSE(exit_code_.has_value()) << "it has ended already: " << Describe();
  EXPECT_EQ(kill(pid_, signal), 0);
}

bool Process::AwaitText(Stream stream, const std::function<bool(const std::string& text)>& enough) {
  return ReadUntil([&] { return streams_[stream].fd < 0 || enough(streams_[stream].text); }) &&
         enough(streams_[stream].text);
}

bool Process::Await(Stream stream, std::string_view part) {
  return AwaitText(stream,
                   [part](const std::string& text) { return text.find(part) != text.npos; });
}

std::optional<std::string> Process::NextLine(Stream stream) {
  OpenStream& open = streams_[stream];
  size_t end = std::string::npos;
  AwaitText(stream, [&open, &end](const std::string& text) {
    end = text.find('\n', open.next_line);
    return end != std::string::npos;
  });
  if (end == std::string::npos) return std::nullopt;
  std::string line = open.text.substr(open.next_line, end - open.next_line);
  open.next_line = end + 1;
  return line;
}

std::optional<int> Process::AwaitExit() {
  ReadUntil([this] { return exit_code_ && streams_[kOut].fd < 0 && streams_[kErr].fd < 0; });
  return exit_code_;
}

std::string Process::Describe() const {
  std::string text;
  for (const std::string& argument : argv_) text += argument + " ";
  text += exit_code_ ? "\nexit code " + std::to_string(*exit_code_) : "\nis running";
  return text + "\nstandard output:\n" + streams_[kOut].text + "\nstandard error:\n" +
         streams_[kErr].text;
}

bool Process::ReadUntil(const std::function<bool()>& done) {
  const auto deadline = Clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (!done()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 || !ReadMore(static_cast<int>(left))) return false;
  }
  return true;
}

bool Process::ReadMore(int timeout_ms) {
  // poll() passes over what is -1.
  std::array<pollfd, 3> waits = {pollfd{.fd = streams_[kOut].fd, .events = POLLIN, .revents = 0},
                                 pollfd{.fd = streams_[kErr].fd, .events = POLLIN, .revents = 0},
                                 pollfd{.fd = exit_fd_, .events = POLLIN, .revents = 0}};
  if (std::all_of(waits.begin(), waits.end(), [](const pollfd& wait) { return wait.fd < 0; })) {
    return false;
  }
  if (poll(waits.data(), waits.size(), timeout_ms) <= 0) return false;
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (waits[i].revents != 0) Read(streams_[i]);
  }
  if (waits[2].revents != 0) Reap();
  return true;
}

void Process::Read(OpenStream& stream) {
  char bytes[1 << 14];
  const ssize_t size = read(stream.fd, bytes, sizeof bytes);
  if (size > 0) {
    stream.text.append(bytes, static_cast<size_t>(size));
  } else if (size == 0 || errno != EINTR) {
    Close(stream.fd);  // A terminal ends with an error.
  }
}

void Process::Reap() {
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  Close(exit_fd_);
}

std::vector<std::string> Screen(std::string_view bytes, size_t columns) {
  constexpr std::string_view kErase = "\033[K";
  std::vector<std::string> lines(1);
  size_t column = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\n') {
      lines.emplace_back();  // A terminal makes "\r\n" of "\n", so the column follows.
    } else if (bytes[i] == '\r') {
      column = 0;
    } else if (bytes.substr(i).starts_with(kErase)) {
      lines.back().resize(std::min(lines.back().size(), column));
      i += kErase.size() - 1;
    } else {
      if (column == columns) {
        lines.emplace_back();
        column = 0;
      }
      lines.back().resize(std::max(lines.back().size(), column + 1), ' ');
      lines.back()[column++] = bytes[i];
    }
  }
  for (std::string& line : lines) line.erase(line.find_last_not_of(' ') + 1);
  return lines;
}

}  // namespace millrace
