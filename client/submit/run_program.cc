#include "client/submit/run_program.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/config/keys.h"
#include "common/process/child_process.h"

namespace millrace {

namespace {

constexpr const ConfKeyInfo* kPathKeys[] = {&keys::kAuthenticateSecretFile, &keys::kTlsCert,
                                            &keys::kTlsKey, &keys::kTlsCa, &keys::kFiles};

std::string AbsolutePaths(const std::string& list) {
  std::vector<std::string> paths = absl::StrSplit(list, ',', absl::SkipEmpty());
  for (std::string& path : paths) path = std::filesystem::absolute(path).string();
  return absl::StrJoin(paths, ",");
}

sigset_t WatchedSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGCONT}) {
    ::sigaddset(&signals, signal);
  }
  return signals;
}

// The program has a process group of its own: a signal to ours, as timeout and shells send it, must
// not reach it twice, for the second one means "at once". So the terminal, if there is one, is
// handed over, and Ctrl-C reaches the program alone.
class Terminal {
 public:
  Terminal() : is_ours_(::isatty(STDIN_FILENO) == 1 && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp()) {
    // Else taking the terminal back would stop us.
    if (is_ours_) ::signal(SIGTTOU, SIG_IGN);
  }
  void Give(pid_t group) const {
    if (is_ours_) ::tcsetpgrp(STDIN_FILENO, group);
  }
  void TakeBack() const { Give(::getpgrp()); }

 private:
  const bool is_ours_;
};

// In the child, between fork and exec.
[[noreturn]] void BecomeProgram(pid_t parent, const std::string& program,
                                const std::vector<char*>& argv, const Terminal& terminal) {
  ::setpgid(0, 0);
  terminal.Give(::getpid());
  ::signal(SIGTTOU, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kExitFailed);
  ::execv(program.c_str(), argv.data());
  std::fprintf(stderr, "millrace-submit: cannot run '%s': %s\n", program.c_str(),
               std::strerror(errno));
  ::_exit(kExitFailed);
}

// Ctrl-Z in the terminal: the shell must see that we stop, and the program goes on when we do.
void StopWithProgram(pid_t child, const Terminal& terminal) {
  terminal.TakeBack();
  ::raise(SIGSTOP);
  terminal.Give(child);
  ::kill(-child, SIGCONT);
}

int AwaitProgram(pid_t child, const std::string& program, const Terminal& terminal) {
  const sigset_t signals = WatchedSignals();
  while (true) {
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (signal == SIGCONT) continue;
    if (signal != SIGCHLD) {
      ::kill(child, signal);
      continue;
    }
    int status = 0;
    if (::waitpid(child, &status, WNOHANG | WUNTRACED) != child) continue;
    if (WIFSTOPPED(status)) {
      StopWithProgram(child, terminal);
      continue;
    }
    terminal.TakeBack();
    if (WIFEXITED(status)) return WEXITSTATUS(status) == 0 ? kExitDone : kExitFailed;
    const ExitStatus exit{.signal = WTERMSIG(status)};
    std::fprintf(stderr, "millrace-submit: '%s' was %s\n", program.c_str(),
                 exit.ToString().c_str());
    return kExitFailed;
  }
}

}  // namespace

std::vector<std::string> SettingArguments(const Conf& conf) {
  std::vector<std::string> arguments;
  for (const auto& [key, value] : conf.entries()) {
    arguments.push_back(absl::StrCat("--millrace_conf=", key, "=", value));
  }
  return arguments;
}

absl::StatusOr<int> RunProgramHere(const SubmitOptions& options) {
  Conf conf = options.conf;
  // Its workers get them too, and run elsewhere.
  for (const ConfKeyInfo* key : kPathKeys) {
    if (const auto value = conf.Get(key->name)) conf.Set(key->name, AbsolutePaths(*value));
  }
  std::vector<std::string> arguments = {options.program};
  for (std::string& setting : SettingArguments(conf)) {
    arguments.push_back(std::move(setting));
  }
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // Before the child can end.
  const sigset_t signals = WatchedSignals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  const Terminal terminal;
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot fork: ", std::strerror(errno)));
  }
  if (child == 0) BecomeProgram(parent, options.program, argv, terminal);
  ::setpgid(child, child);
  terminal.Give(child);
  return AwaitProgram(child, options.program, terminal);
}

}  // namespace millrace
