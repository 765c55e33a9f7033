// The server that a program under test connects to.
#ifndef MILLRACE_TESTS_SUPPORT_TCP_SERVER_H_
#define MILLRACE_TESTS_SUPPORT_TCP_SERVER_H_

#include <string>
#include <string_view>

namespace millrace {

// One accepted connection. One thread.
class TcpPeer {
 public:
  explicit TcpPeer(int fd) : fd_(fd) {}
  ~TcpPeer() { Close(); }
  TcpPeer(TcpPeer&& other) noexcept;
  TcpPeer& operator=(TcpPeer&& other) noexcept;

  bool connected() const { return fd_ >= 0; }
  // Of the other side, without its port.
  std::string address() const;
  // False: the other side has gone.
  bool TrySend(std::string_view bytes);
  void Send(std::string_view bytes);
  // Waits until the other side has taken all that was sent out of its socket.
  void AwaitRead() const;
  void Close();
  // Closes in the way of a crashed host: the other side's next read fails.
  void Reset();

 private:
  int fd_;
};

// Has a port of one of this machine's addresses. One thread.
class TcpServer {
 public:
  // Without `listening` connections are refused until Listen().
  explicit TcpServer(bool listening = true, const std::string& address = "127.0.0.1");
  ~TcpServer();
  TcpServer(const TcpServer&) = delete;
  TcpServer& operator=(const TcpServer&) = delete;

  int port() const { return port_; }
  std::string port_text() const { return std::to_string(port_); }
  void Listen();
  // Waits for the next connection; the test fails if none comes.
  TcpPeer Accept();
  // Whether one has come that is not accepted yet.
  bool HasConnection() const;

 private:
  int fd_ = -1;
  int port_ = 0;
};

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_TCP_SERVER_H_
