// Sockets on loopback.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_LOOPBACK_H_
#define MILLRACE_TESTS_BENCH_PLAIN_LOOPBACK_H_

#include <cstddef>

#include "absl/status/statusor.h"

namespace millrace::bench {

struct Listener {
  int fd = -1;
  int port = 0;
};

// Listens on a free port. The caller closes it.
absl::StatusOr<Listener> ListenOnLoopback();
// The caller closes it.
absl::StatusOr<int> ConnectToLoopback(int port);

// False when the other end is gone.
bool WriteAll(int fd, const void* data, size_t size);
bool ReadAll(int fd, void* data, size_t size);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_LOOPBACK_H_
