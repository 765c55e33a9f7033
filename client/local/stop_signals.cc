#include "client/local/stop_signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/concurrent/named_thread.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

constexpr char kSignalled = 's';
constexpr char kEnd = 'e';

// The pipe that the handler writes to; -1 while nobody listens.
std::atomic<int> signal_fd{-1};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may take no lock");

void OnSignal(int /*signal*/) {
  const int saved_errno = errno;
  const int fd = signal_fd.load();
  // A full pipe holds more signals than anyone counts.
  if (fd >= 0) static_cast<void>(!write(fd, &kSignalled, 1));
  errno = saved_errno;
}

}  // namespace

StopSignals::StopSignals(std::function<void(int)> on_signal) : on_signal_(std::move(on_signal)) {
  int fds[2];
  PCHECK(pipe2(fds, O_CLOEXEC) == 0) << "a pipe for signals";
  read_fd_ = fds[0];
  write_fd_ = fds[1];
  PCHECK(fcntl(write_fd_, F_SETFL, O_NONBLOCK) == 0);
  CHECK_EQ(signal_fd.exchange(write_fd_), -1) << "someone listens to signals already";
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
  thread_ = StartThread("signals", [this] { Run(); });
}

void StopSignals::Disarm() {
  if (!armed_.exchange(false)) return;
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
  signal_fd.store(-1);
}

StopSignals::~StopSignals() {
  Disarm();
  static_cast<void>(!write(write_fd_, &kEnd, 1));
  thread_.join();
  close(read_fd_);
  close(write_fd_);
}

void StopSignals::Run() {
  int count = 0;
  char what = 0;
  while (true) {
    const ssize_t size = read(read_fd_, &what, 1);
    if (size < 0 && errno == EINTR) continue;
    if (size != 1 || what == kEnd) return;
    on_signal_(++count);
  }
}

}  // namespace millrace::internal
