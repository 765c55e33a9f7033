#include "client/cluster/local_worker_launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/concurrent/named_thread.h"
#include "common/fs/path.h"
#include "glog/logging.h"

extern char** environ;

namespace millrace::internal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kNotRun = 126;  // The child could not become a worker.
constexpr std::chrono::seconds kGraceBeforeKill{5};

std::string ExitReason(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return absl::StrCat("it was killed by signal ", signal, " (", strsignal(signal), ")");
  }
  return absl::StrCat("it exited with code ", WEXITSTATUS(status));
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// In the child, between fork and exec: only what is safe there.
[[noreturn]] void BecomeWorker(pid_t parent, char* const* argv, char* const* environment) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kNotRun);  // It died before this process asked to be told.
  // Ctrl-C in a terminal reaches all processes at once, but it is the driver that decides.
  signal(SIGINT, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    _exit(kNotRun);
  }
#ifdef SYS_close_range
  syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
#endif
  execve("/proc/self/exe", argv, environment);
  _exit(kNotRun);
}

}  // namespace

LocalWorkerLauncher::LocalWorkerLauncher(Options options)
    : argv_(std::move(options.argv)), work_dir_(std::move(options.work_dir)) {}

LocalWorkerLauncher::~LocalWorkerLauncher() {
  Stop();
  // Not before: orders may still come, and the number would be that of another file.
  if (wake_fd_ >= 0) close(wake_fd_);
}

absl::Status LocalWorkerLauncher::Start(const WorkerSpec& spec, Listener& listener) {
  spec_ = spec;
  listener_ = &listener;
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("eventfd: ", std::strerror(errno)));
  }
  thread_ = StartThread("worker-launcher", [this] { Run(); });
  return absl::OkStatus();
}

void LocalWorkerLauncher::Launch(int64_t worker_id) {
  Order([&](Orders& orders) { orders.launches.push_back(worker_id); });
}

void LocalWorkerLauncher::Kill(int64_t worker_id) {
  Order([&](Orders& orders) { orders.kills.push_back(worker_id); });
}

void LocalWorkerLauncher::Stop() {
  if (!thread_.joinable()) return;
  Order([](Orders& orders) { orders.stop = true; });
  thread_.join();
  work_dir_.reset();
}

void LocalWorkerLauncher::Order(absl::FunctionRef<void(Orders&)> add) {
  {
    const absl::MutexLock lock(&mutex_);
    add(orders_);
  }
  eventfd_write(wake_fd_, 1);
}

LocalWorkerLauncher::Orders LocalWorkerLauncher::TakeOrders() {
  eventfd_t ignored;
  eventfd_read(wake_fd_, &ignored);
  const absl::MutexLock lock(&mutex_);
  return std::exchange(orders_, {});
}

void LocalWorkerLauncher::Run() {
  for (;;) {
    const Orders orders = TakeOrders();
    if (!orders.stop) {
      for (const int64_t id : orders.launches) StartChild(id);
    }
    KillChildren(orders.kills);
    if (orders.stop) return EndAll();
    AwaitSomething(/*timeout_ms=*/-1);
    ReapEnded();
  }
}

void LocalWorkerLauncher::KillChildren(const std::vector<int64_t>& worker_ids) {
  for (const int64_t id : worker_ids) {
    const auto child = children_.find(id);
    if (child != children_.end()) kill(child->second.pid, SIGKILL);
  }
}

void LocalWorkerLauncher::StartChild(int64_t worker_id) {
  Child child;
  const absl::Status started = Fork(worker_id, child);
  if (started.ok()) {
    children_.emplace(worker_id, child);
  } else {
    listener_->OnWorkerExited(worker_id,
                              absl::StrCat("it could not be started: ", started.message()));
  }
}

absl::Status LocalWorkerLauncher::Fork(int64_t worker_id, Child& child) {
  const std::vector<std::string> environment_texts = EnvironmentOf(worker_id);
  const std::vector<char*> environment = Pointers(environment_texts);
  const std::vector<char*> argv = Pointers(argv_);
  const pid_t parent = getpid();
  // No signal handler of ours runs in the child.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  child.pid = fork();
  if (child.pid == 0) BecomeWorker(parent, argv.data(), environment.data());
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child.pid < 0) return absl::ResourceExhaustedError(absl::StrCat("fork: ", strerror(error)));
  child.exit_fd = static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0));
  if (child.exit_fd >= 0) return absl::OkStatus();
  absl::Status status =
      absl::ResourceExhaustedError(absl::StrCat("pidfd_open: ", std::strerror(errno)));
  kill(child.pid, SIGKILL);
  waitpid(child.pid, nullptr, 0);
  return status;
}

std::vector<std::string> LocalWorkerLauncher::EnvironmentOf(int64_t worker_id) const {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  const std::vector<std::pair<std::string, std::string>> ours = {
      {"MILLRACE_ROLE", "worker"},
      {"MILLRACE_DRIVER_ADDRESS", spec_.driver_address},
      {"MILLRACE_APP_ID", spec_.application_id},
      {"MILLRACE_WORKER_ID", absl::StrCat(worker_id)},
      {"MILLRACE_WORKER_CORES", absl::StrCat(spec_.cores)},
      {"MILLRACE_WORKER_MEMORY_MB", absl::StrCat(spec_.memory_mb)},
      {"MILLRACE_WORKER_HOST", "127.0.0.1"},
      {"MILLRACE_WORK_DIR", JoinPath(work_dir_->path(), absl::StrCat("worker-", worker_id))},
      {"MILLRACE_AUTH_SECRET_FILE", spec_.auth_secret_file},
  };
  for (const auto& [name, value] : ours) {
    std::erase_if(environment, [prefix = name + "="](const std::string& entry) {
      return absl::StartsWith(entry, prefix);
    });
    if (!value.empty()) environment.push_back(absl::StrCat(name, "=", value));
  }
  return environment;
}

void LocalWorkerLauncher::AwaitSomething(int timeout_ms) {
  std::vector<pollfd> waits{{.fd = wake_fd_, .events = POLLIN, .revents = 0}};
  for (const auto& [id, child] : children_) {
    waits.push_back({.fd = child.exit_fd, .events = POLLIN, .revents = 0});
  }
  poll(waits.data(), waits.size(), timeout_ms);
}

void LocalWorkerLauncher::ReapEnded() {
  for (auto child = children_.begin(); child != children_.end();) {
    int status = 0;
    if (waitpid(child->second.pid, &status, WNOHANG) == 0) {
      ++child;
      continue;
    }
    close(child->second.exit_fd);
    const int64_t worker_id = child->first;
    child = children_.erase(child);
    if (listener_ != nullptr) listener_->OnWorkerExited(worker_id, ExitReason(status));
  }
}

void LocalWorkerLauncher::EndAll() {
  listener_ = nullptr;
  const auto deadline = Clock::now() + kGraceBeforeKill;
  bool is_killed = false;
  while (!children_.empty()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 && !std::exchange(is_killed, true)) {
      for (const auto& [id, child] : children_) {
        LOG(WARNING) << "worker " << id << " does not end by itself and is killed";
        kill(child.pid, SIGKILL);
      }
    }
    AwaitSomething(is_killed ? -1 : static_cast<int>(std::max<int64_t>(0, left)));
    KillChildren(TakeOrders().kills);
    ReapEnded();
  }
}

}  // namespace millrace::internal
