// Ctrl-C and `kill`, brought to a thread that may do anything.
#ifndef MILLRACE_CLIENT_LOCAL_STOP_SIGNALS_H_
#define MILLRACE_CLIENT_LOCAL_STOP_SIGNALS_H_

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

namespace millrace::internal {

// While it lives, SIGINT and SIGTERM do not end the process but call a function. At most one at a
// time is alive in a process.
//
// Threads: made and destroyed by the user's threads; the function runs on a thread of its own,
// which the destructor waits for, and may disarm.
class StopSignals {
 public:
  // `on_signal(count)` is told of the first signal, the second, ... Equal ones that the leader of
  // the process group (timeout) sends within 100 ms are one.
  explicit StopSignals(std::function<void(int count)> on_signal);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // The signals do again what they did before. Callable from any thread; more calls do nothing.
  void Disarm();

 private:
  void Run();

  const std::function<void(int)> on_signal_;
  int read_fd_ = -1;
  int write_fd_ = -1;
  struct sigaction old_int_ {};
  struct sigaction old_term_ {};
  std::atomic<bool> armed_{true};
  std::thread thread_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_STOP_SIGNALS_H_
