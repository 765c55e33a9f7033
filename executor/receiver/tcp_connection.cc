#include "executor/receiver/tcp_connection.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "executor/receiver/host_lookup.h"

namespace millrace::internal {

namespace {

constexpr int kForever = -1;

// True when `events` came up on `fd`; false after the timeout.
absl::StatusOr<bool> WaitFor(int fd, int16_t events, const WakeFlag& wake, int timeout_ms) {
  std::array<pollfd, 2> waits = {pollfd{.fd = wake.fd(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = fd, .events = events, .revents = 0}};
  int ready = 0;
  do {
    ready = poll(waits.data(), waits.size(), timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return absl::ErrnoToStatus(errno, "poll");
  if (waits[0].revents != 0) return absl::CancelledError("stopped while waiting for the peer");
  return waits[1].revents != 0;
}

void KeepAlive(int fd) {
  constexpr int kIdleSeconds = 30;
  constexpr int kPeriodSeconds = 10;
  constexpr int kProbes = 3;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleSeconds, sizeof kIdleSeconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kPeriodSeconds, sizeof kPeriodSeconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof kProbes);
}

absl::StatusOr<FileDescriptor> ConnectTo(const HostAddress& address, const WakeFlag& wake,
                                         std::chrono::milliseconds timeout) {
  const auto* const sockaddr_of = reinterpret_cast<const sockaddr*>(&address.storage);
  FileDescriptor fd(
      socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "socket");
  if (connect(fd.get(), sockaddr_of, address.length) != 0) {
    if (errno != EINPROGRESS) return absl::ErrnoToStatus(errno, "connect");
    ASSIGN_OR_RETURN(const bool done,
                     WaitFor(fd.get(), POLLOUT, wake, static_cast<int>(timeout.count())));
    if (!done) {
      return absl::DeadlineExceededError(absl::StrCat("no answer within ", timeout.count(), " ms"));
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return absl::ErrnoToStatus(error, "connect");
  }
  KeepAlive(fd.get());
  return fd;
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

WakeFlag::WakeFlag() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  PCHECK(fd_.valid()) << "eventfd";
}

void WakeFlag::Raise() {
  raised_.store(true, std::memory_order_relaxed);
  const uint64_t one = 1;
  // Fails only when the counter is full, that is, raised.
  [[maybe_unused]] const ssize_t written = write(fd_.get(), &one, sizeof one);
}

void WakeFlag::Lower() {
  raised_.store(false, std::memory_order_relaxed);
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(fd_.get(), &count, sizeof count);
}

std::string ToString(const SocketAddress& address) {
  return absl::StrCat(address.host, ":", address.port);
}

absl::StatusOr<TcpConnection> TcpConnection::Open(const SocketAddress& peer, const WakeFlag& wake,
                                                  std::chrono::milliseconds timeout) {
  ASSIGN_OR_RETURN(const std::vector<HostAddress> addresses, LookUpHost(peer, wake, timeout));
  absl::Status failed;
  for (const HostAddress& address : addresses) {
    absl::StatusOr<FileDescriptor> fd = ConnectTo(address, wake, timeout);
    if (fd.ok()) return TcpConnection(*std::move(fd), ToString(peer), wake);
    if (absl::IsCancelled(fd.status())) return fd.status();
    failed = fd.status();
  }
  return absl::UnavailableError(
      absl::StrCat("cannot connect to ", ToString(peer), ": ", failed.message()));
}

absl::StatusOr<absl::Span<char>> TcpConnection::AllowedRoom(absl::Span<char> room) {
  if (!wake_->raised()) return room;
  // A peer that sends faster than we read must not keep us here.
  if (!last_bytes_) {
    int unread = 0;
    last_bytes_ = ioctl(fd_.get(), FIONREAD, &unread) == 0 ? static_cast<size_t>(unread) : 0;
  }
  if (*last_bytes_ == 0) return absl::CancelledError("stopped while reading from the peer");
  return room.first(std::min(room.size(), *last_bytes_));
}

absl::StatusOr<size_t> TcpConnection::Receive(absl::Span<char> room) {
  while (true) {
    ASSIGN_OR_RETURN(const absl::Span<char> allowed, AllowedRoom(room));
    const ssize_t received = recv(fd_.get(), allowed.data(), allowed.size(), 0);
    if (received >= 0) {
      if (last_bytes_) *last_bytes_ -= static_cast<size_t>(received);
      return static_cast<size_t>(received);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      return absl::UnavailableError(
          absl::StrCat("lost the connection to ", peer_name_, ": ", std::strerror(errno)));
    }
    const absl::Status waited = WaitFor(fd_.get(), POLLIN, *wake_, kForever).status();
    if (!waited.ok() && !absl::IsCancelled(waited)) return waited;
  }
}

absl::Status TcpConnection::ReceiveAll(absl::Span<char> room) {
  while (!room.empty()) {
    ASSIGN_OR_RETURN(const size_t received, Receive(room));
    if (received == 0) return absl::OutOfRangeError(absl::StrCat(peer_name_, " has closed"));
    room.remove_prefix(received);
  }
  return absl::OkStatus();
}

}  // namespace millrace::internal
