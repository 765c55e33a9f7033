// What a bare gRPC connection between two processes carries.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_MESSAGE_STREAM_H_
#define MILLRACE_TESTS_BENCH_PLAIN_MESSAGE_STREAM_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace millrace::bench {

// A process that takes messages of 1 MiB from gRPC streams, and sends such.
class StreamPeer {
 public:
  // Starts this program again, as the peer (--serve_stream).
  static absl::StatusOr<StreamPeer> Start();
  StreamPeer(StreamPeer&& other) noexcept;
  StreamPeer& operator=(StreamPeer&&) = delete;
  ~StreamPeer();  // Ends the process.

  // The seconds that it takes to send `each_way` bytes, a multiple of 1 MiB, to the peer and to get
  // as many from it at the same time.
  absl::StatusOr<double> Exchange(int64_t each_way) const;

 private:
  StreamPeer(pid_t process, int port) : process_(process), port_(port) {}

  pid_t process_;
  int port_;
};

// The peer's main function: says its port on standard output and serves until it is killed.
int ServeStream();

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_MESSAGE_STREAM_H_
