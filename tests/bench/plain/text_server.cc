#include "tests/bench/plain/text_server.h"

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "tests/bench/plain/files.h"
#include "tests/bench/plain/loopback.h"

namespace millrace::bench {
namespace {

constexpr size_t kSendBytes = size_t{1} << 20;

absl::Status Gone(const char* what) {
  return absl::UnavailableError(absl::StrCat("the text server has ended: ", what));
}

}  // namespace

absl::StatusOr<TextServer> TextServer::Start(const std::string& path) {
  int commands[2];
  int answers[2];
  if (::pipe(commands) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  if (::pipe(answers) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, commands[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, answers[1], STDOUT_FILENO);
  for (const int fd : {commands[0], commands[1], answers[0], answers[1]}) {
    posix_spawn_file_actions_addclose(&actions, fd);
  }
  std::string program = "/proc/self/exe";
  std::string flag = absl::StrCat("--serve_text=", path);
  char* argv[] = {program.data(), flag.data(), nullptr};
  pid_t process = 0;
  const int error = ::posix_spawn(&process, program.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(commands[0]);
  ::close(answers[1]);
  if (error != 0) return absl::ErrnoToStatus(error, "cannot start the text server");
  TextServer server(process, commands[1], answers[0]);
  uint16_t port = 0;
  if (!ReadAll(server.answers_, &port, sizeof(port))) return Gone("before it listened");
  server.port_ = port;
  return server;
}

TextServer::TextServer(TextServer&& other) noexcept
    : process_(std::exchange(other.process_, 0)),
      commands_(other.commands_),
      answers_(other.answers_),
      port_(other.port_) {}

TextServer::~TextServer() {
  if (process_ == 0) return;
  ::close(commands_);
  ::close(answers_);
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

absl::Status TextServer::AwaitConnection() {
  char answer;
  return ReadAll(answers_, &answer, 1) ? absl::OkStatus() : Gone("before a connection");
}

absl::Status TextServer::Release() {
  const char command = 'g';
  return WriteAll(commands_, &command, 1) ? absl::OkStatus() : Gone("before it was released");
}

int ServeText(const std::string& path) {
  ::signal(SIGPIPE, SIG_IGN);
  const absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  const absl::StatusOr<Listener> listening = ListenOnLoopback();
  if (!file.ok() || !listening.ok()) {
    std::fprintf(stderr, "%s\n",
                 (file.ok() ? listening.status() : file.status()).ToString().c_str());
    return 1;
  }
  const auto port = static_cast<uint16_t>(listening->port);
  if (!WriteAll(STDOUT_FILENO, &port, sizeof(port))) return 1;
  while (true) {
    const int connection = ::accept4(listening->fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return 1;
    const absl::Cleanup close = [connection] { ::close(connection); };
    char command = 'a';
    if (!WriteAll(STDOUT_FILENO, &command, 1)) return 0;
    if (!ReadAll(STDIN_FILENO, &command, 1)) return 0;
    std::string_view text = file->bytes();
    while (!text.empty()) {
      const size_t size = std::min(text.size(), kSendBytes);
      if (!WriteAll(connection, text.data(), size)) break;
      text.remove_prefix(size);
    }
  }
}

}  // namespace millrace::bench
