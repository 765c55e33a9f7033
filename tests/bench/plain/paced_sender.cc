#include "tests/bench/plain/paced_sender.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/time/system_clock.h"
#include "tests/bench/plain/loopback.h"
#include "tests/bench/text/random.h"

namespace millrace::bench {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

void SleepUntil(int64_t monotonic_nanos) {
  const timespec until{.tv_sec = monotonic_nanos / kNanosPerSecond,
                       .tv_nsec = monotonic_nanos % kNanosPerSecond};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

}  // namespace

absl::StatusOr<PacedSender> PacedSender::Listen() {
  const absl::StatusOr<Listener> listener = ListenOnLoopback();
  if (!listener.ok()) return listener.status();
  return PacedSender(listener->fd, listener->port);
}

PacedSender::PacedSender(PacedSender&& other) noexcept
    : listener_(std::exchange(other.listener_, -1)),
      port_(other.port_),
      connection_(std::exchange(other.connection_, -1)) {}

PacedSender::~PacedSender() {
  if (connection_ >= 0) ::close(connection_);
  if (listener_ >= 0) ::close(listener_);
}

absl::Status PacedSender::Send(int64_t records, int64_t records_per_second, int64_t keys) {
  connection_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (connection_ < 0) return absl::ErrnoToStatus(errno, "no connection");
  const int no_delay = 1;
  ::setsockopt(connection_, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
  const int64_t start_ns = MonotonicNanos();
  const int64_t period_ns = kNanosPerSecond / records_per_second;
  Random random(/*seed=*/1);
  for (int64_t i = 0; i < records; ++i) {
    // Anywhere in its period: no record has a fixed distance to the ticks of batches.
    SleepUntil(start_ns + i * period_ns + random.Below(static_cast<uint32_t>(period_ns)));
    const std::string line = absl::StrCat(i % keys, " ", MonotonicNanos(), "\n");
    if (!WriteAll(connection_, line.data(), line.size())) {
      return absl::UnavailableError("the receiver is gone");
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace::bench
