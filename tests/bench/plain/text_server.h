// The server that the network programs read from: a process of its own, so that it shares nothing
// with what is measured but the machine.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_TEXT_SERVER_H_
#define MILLRACE_TESTS_BENCH_PLAIN_TEXT_SERVER_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace::bench {

// Serves a file to one connection after the other on a loopback port. A connection gets nothing
// until it is released, so that time is taken from the first byte on.
class TextServer {
 public:
  // Starts this program again, as the server (--serve_text).
  static absl::StatusOr<TextServer> Start(const std::string& path);
  TextServer(TextServer&& other) noexcept;
  TextServer& operator=(TextServer&&) = delete;
  ~TextServer();  // Ends the process.

  int port() const { return port_; }
  // Returns when the next connection has been accepted.
  absl::Status AwaitConnection();
  // Sends it the whole file, as fast as it is taken, and closes it.
  absl::Status Release();

 private:
  TextServer(pid_t process, int commands, int answers)
      : process_(process), commands_(commands), answers_(answers) {}

  pid_t process_;
  int commands_;
  int answers_;
  int port_ = 0;
};

// The server's main function: commands come in on standard input, answers go out on standard
// output. Ends with the input. Returns an exit code.
int ServeText(const std::string& path);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_TEXT_SERVER_H_
