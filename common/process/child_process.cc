#include "common/process/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "absl/strings/str_cat.h"

extern char** environ;

namespace millrace {

namespace {

using internal::Descriptor;

constexpr int kBusyAttemptsMax = 50;
constexpr int kBusyWaitMicros = 10'000;

std::vector<std::string> MergedEnvironment(const ProcessSpec& spec) {
  std::map<std::string, std::string> values;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) values[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : spec.environment) values[name] = value;
  std::vector<std::string> environment;
  environment.reserve(values.size());
  for (const auto& [name, value] : values) environment.push_back(absl::StrCat(name, "=", value));
  return environment;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// All that the child needs, made before the fork.
struct ChildPlan {
  const ProcessSpec* spec;
  char** argv;
  char** environment;
  int null_fd;
  int error_fd;
  pid_t parent;
};

// Runs in the child: only calls that are safe after a fork of a process with threads.
[[noreturn]] void BecomeProgram(const ChildPlan& plan) {
  const ProcessSpec& spec = *plan.spec;
  const auto fail = [&] {
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(plan.error_fd, &error, sizeof(error));
    ::_exit(127);
  };
  ::setpgid(0, 0);
  // The daemon's own dispositions and mask must not reach the program.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_DFL);
  if (spec.dies_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have died before that.
    if (::getppid() != plan.parent) ::_exit(127);
  }
  ::dup2(plan.null_fd, STDIN_FILENO);
  ::dup2(spec.out_fd >= 0 ? spec.out_fd : plan.null_fd, STDOUT_FILENO);
  ::dup2(spec.err_fd >= 0 ? spec.err_fd : plan.null_fd, STDERR_FILENO);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (spec.kept_fd >= 0) ::fcntl(spec.kept_fd, F_SETFD, 0);
  if (!spec.work_dir.empty() && ::chdir(spec.work_dir.c_str()) != 0) fail();
  ::execve(spec.program.c_str(), plan.argv, plan.environment);
  fail();
  ::_exit(127);
}

}  // namespace

std::string ExitStatus::ToString() const {
  if (signal == 0) return absl::StrCat("exited with ", code);
  const char* name = ::sigdescr_np(signal);
  return absl::StrCat("killed by signal ", signal, " (", name != nullptr ? name : "unknown", ")");
}

absl::StatusOr<ChildProcess> ChildProcess::Start(const ProcessSpec& spec) {
  // A program that was written a moment ago may still be open for writing in a child of another
  // thread, between its fork and its exec.
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<ChildProcess> child = StartOnce(spec);
    if (child.ok() || errno != ETXTBSY || attempt == kBusyAttemptsMax) return child;
    ::usleep(kBusyWaitMicros);
  }
}

absl::StatusOr<ChildProcess> ChildProcess::StartOnce(const ProcessSpec& spec) {
  int errors[2];
  if (::pipe2(errors, O_CLOEXEC) != 0) return internal::ErrnoStatus("start", spec.program);
  const Descriptor error_out(errors[0]);
  Descriptor error_in(errors[1]);
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) return internal::ErrnoStatus("open", "/dev/null");
  const std::vector<std::string> environment = MergedEnvironment(spec);
  const std::vector<char*> environment_pointers = Pointers(environment);
  const std::vector<char*> argv_pointers = Pointers(spec.argv);
  const ChildPlan plan{.spec = &spec,
                       .argv = const_cast<char**>(argv_pointers.data()),
                       .environment = const_cast<char**>(environment_pointers.data()),
                       .null_fd = null.get(),
                       .error_fd = error_in.get(),
                       .parent = ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) return internal::ErrnoStatus("start", spec.program);
  if (pid == 0) BecomeProgram(plan);
  error_in.Close();
  ChildProcess child(pid, Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))));
  if (!child.pid_fd_.valid()) return internal::ErrnoStatus("watch", spec.program);
  // Ends without a byte when exec has closed the other end.
  int error = 0;
  if (::read(error_out.get(), &error, sizeof(error)) == sizeof(error)) {
    errno = error;
    const absl::Status status = internal::ErrnoStatus("start", spec.program);
    child.Wait();
    errno = error;
    return status;
  }
  return child;
}

ChildProcess::~ChildProcess() {
  if (!pid_fd_.valid() || has_ended_) return;
  Signal(SIGKILL);
  Wait();
}

void ChildProcess::Signal(int signal) const {
  // By its descriptor: the number may be another process' by now.
  ::syscall(SYS_pidfd_send_signal, pid_fd_.get(), signal, nullptr, 0);
}

ExitStatus ChildProcess::Wait() {
  if (has_ended_) return exit_;
  siginfo_t info{};
  // Leaves the zombie, so that the number of its group is its own while that is killed.
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  has_ended_ = true;
  exit_ = WIFSIGNALED(status) ? ExitStatus{.signal = WTERMSIG(status)}
                              : ExitStatus{.code = WEXITSTATUS(status)};
  return exit_;
}

}  // namespace millrace
