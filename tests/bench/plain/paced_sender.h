// A source of records at a steady rate, each with the time at which it was sent.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_PACED_SENDER_H_
#define MILLRACE_TESTS_BENCH_PLAIN_PACED_SENDER_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace::bench {

// Listens on a loopback port; to the connection that comes it sends a line "KEY NANOS" for each
// record, NANOS read from the monotonic clock just before the send.
class PacedSender {
 public:
  static absl::StatusOr<PacedSender> Listen();
  PacedSender(PacedSender&& other) noexcept;
  PacedSender& operator=(PacedSender&&) = delete;
  ~PacedSender();

  int port() const { return port_; }
  // Waits for the connection, sends, and returns when the last record is sent.
  absl::Status Send(int64_t records, int64_t records_per_second, int64_t keys);

 private:
  PacedSender(int listener, int port) : listener_(listener), port_(port) {}

  int listener_;
  int port_;
  int connection_ = -1;  // Open until the sender goes: its end would be a fault for the receiver.
};

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_PACED_SENDER_H_
