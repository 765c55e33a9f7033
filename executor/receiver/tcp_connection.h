// A TCP connection of a receiver, whose waits can be ended from another thread.
#ifndef MILLRACE_EXECUTOR_RECEIVER_TCP_CONNECTION_H_
#define MILLRACE_EXECUTOR_RECEIVER_TCP_CONNECTION_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "executor/receiver/socket_address.h"

namespace millrace::internal {

// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// A flag that poll() can wait for. Threads: any.
class WakeFlag {
 public:
  WakeFlag();

  void Raise();
  void Lower();
  bool raised() const { return raised_.load(std::memory_order_relaxed); }
  int fd() const { return fd_.get(); }

 private:
  std::atomic<bool> raised_ = false;
  FileDescriptor fd_;
};

// Errors name the host and port. Cancelled: the wake flag was raised.
// Threads: one at a time; whoever raises the flag may be another.
class TcpConnection {
 public:
  // Tries the host's addresses in turn, each for at most `timeout`; finding them may take as long.
  static absl::StatusOr<TcpConnection> Open(const SocketAddress& peer, const WakeFlag& wake,
                                            std::chrono::milliseconds timeout);

  // Waits for bytes; 0: the peer has closed. However long it is silent: TCP keep-alive finds out
  // about a peer that is gone. Once the flag is raised, what has come by then is still handed out.
  absl::StatusOr<size_t> Receive(absl::Span<char> room);
  // Fills `room`. OutOfRange: the peer closed first.
  absl::Status ReceiveAll(absl::Span<char> room);

  // "localhost:9999"
  const std::string& peer_name() const { return peer_name_; }

 private:
  TcpConnection(FileDescriptor fd, std::string peer_name, const WakeFlag& wake)
      : fd_(std::move(fd)), peer_name_(std::move(peer_name)), wake_(&wake) {}

  // The part of `room` that may still be filled; Cancelled when there is none any more.
  absl::StatusOr<absl::Span<char>> AllowedRoom(absl::Span<char> room);

  FileDescriptor fd_;
  std::string peer_name_;
  const WakeFlag* wake_;
  std::optional<size_t> last_bytes_;  // The flag was raised: so many are still to be handed out.
};

std::string ToString(const SocketAddress& address);

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_TCP_CONNECTION_H_
