#include "client/local/stop_signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "absl/time/time.h"
#include "common/concurrent/named_thread.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// What the pipe brings; whole, for it is small.
struct Arrival {
  int signal;  // 0: no more will come.
  pid_t sender;
  timespec time;
};

constexpr absl::Duration kSameSignal = absl::Milliseconds(100);

// The pipe that the handler writes to; -1 while nobody listens.
std::atomic<int> signal_fd{-1};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may take no lock");

void OnSignal(int signal, siginfo_t* info, void* /*context*/) {
  const int saved_errno = errno;
  const int fd = signal_fd.load();
  Arrival arrival{};
  arrival.signal = signal;
  arrival.sender = info->si_pid;
  clock_gettime(CLOCK_MONOTONIC, &arrival.time);
  // A full pipe holds more signals than anyone counts.
  if (fd >= 0) static_cast<void>(!write(fd, &arrival, sizeof arrival));
  errno = saved_errno;
}

// The leader of a group that signals one of the group and then all of it, as GNU timeout does to
// its child, means one signal. Anybody else who signals twice means it, however quickly.
bool IsSaidAgain(const Arrival& arrival, const Arrival& before) {
  return arrival.signal == before.signal && arrival.sender == before.sender &&
         arrival.sender == getpgrp() &&
         absl::TimeFromTimespec(arrival.time) - absl::TimeFromTimespec(before.time) < kSameSignal;
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
  action.sa_sigaction = OnSignal;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
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
  const Arrival end{};
  static_cast<void>(!write(write_fd_, &end, sizeof end));
  thread_.join();
  close(read_fd_);
  close(write_fd_);
}

void StopSignals::Run() {
  int count = 0;
  Arrival latest{};
  while (true) {
    Arrival arrival{};
    const ssize_t size = read(read_fd_, &arrival, sizeof arrival);
    if (size < 0 && errno == EINTR) continue;
    if (size != sizeof arrival || arrival.signal == 0) return;
    if (IsSaidAgain(arrival, latest)) continue;
    latest = arrival;
    on_signal_(++count);
  }
}

}  // namespace millrace::internal
