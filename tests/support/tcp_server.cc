#include "tests/support/tcp_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <optional>
#include <utility>

#include "tests/support/process.h"

namespace millrace {
namespace {

sockaddr* Generic(sockaddr_in* address) { return reinterpret_cast<sockaddr*>(address); }

int PortOf(int fd, int (*name)(int, sockaddr*, socklen_t*)) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(name(fd, Generic(&address), &size), 0);
  return ntohs(address.sin_port);
}

int MyPort(int fd) {
  return PortOf(fd, [](int s, sockaddr* a, socklen_t* n) { return getsockname(s, a, n); });
}

int PeerPort(int fd) {
  return PortOf(fd, [](int s, sockaddr* a, socklen_t* n) { return getpeername(s, a, n); });
}

// Bytes that wait in the socket of this machine with these ports: to be acknowledged, to be read.
struct Queues {
  unsigned sending = 0;
  unsigned receiving = 0;
};

std::optional<Queues> FindQueues(int local_port, int remote_port) {
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream lines(table);
    for (std::string line; std::getline(lines, line);) {
      unsigned local = 0;
      unsigned remote = 0;
      Queues queues;
      const int found = std::sscanf(line.c_str(), " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %*x %x:%x",
                                    &local, &remote, &queues.sending, &queues.receiving);
      if (found == 4 && local == static_cast<unsigned>(local_port) &&
          remote == static_cast<unsigned>(remote_port)) {
        return queues;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

TcpPeer::TcpPeer(TcpPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

TcpPeer& TcpPeer::operator=(TcpPeer&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

std::string TcpPeer::address() const {
  sockaddr_in other{};
  socklen_t size = sizeof other;
  char text[INET_ADDRSTRLEN] = "";
  EXPECT_EQ(getpeername(fd_, Generic(&other), &size), 0);
  EXPECT_NE(inet_ntop(AF_INET, &other.sin_addr, text, sizeof text), nullptr);
  return text;
}

bool TcpPeer::TrySend(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void TcpPeer::Send(std::string_view bytes) { ASSERT_TRUE(TrySend(bytes)); }

void TcpPeer::AwaitRead() const {
  const int here = MyPort(fd_);
  const int there = PeerPort(fd_);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (std::chrono::steady_clock::now() < deadline) {
    const auto mine = FindQueues(here, there);
    const auto theirs = FindQueues(there, here);
    ASSERT_TRUE(mine && theirs) << "the connection has gone";
    if (mine->sending == 0 && theirs->receiving == 0) return;
    poll(nullptr, 0, /*timeout=*/1);  // Nothing tells when another process reads.
  }
  FAIL() << "what was sent is not read";
}

void TcpPeer::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void TcpPeer::Reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  Close();
}

TcpServer::TcpServer(bool listening, const std::string& address)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in own{};
  own.sin_family = AF_INET;
  EXPECT_EQ(inet_pton(AF_INET, address.c_str(), &own.sin_addr), 1) << address;
  EXPECT_EQ(bind(fd_, Generic(&own), sizeof own), 0);
  port_ = MyPort(fd_);
  if (listening) Listen();
}

TcpServer::~TcpServer() { close(fd_); }

void TcpServer::Listen() { EXPECT_EQ(listen(fd_, 8), 0); }

bool TcpServer::HasConnection() const {
  pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
  return poll(&wait, 1, /*timeout=*/0) == 1;
}

TcpPeer TcpServer::Accept() {
  pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&wait, 1, kPatienceMs), 1) << "nobody connects to port " << port_;
  return TcpPeer(wait.revents != 0 ? accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC) : -1);
}

}  // namespace millrace
