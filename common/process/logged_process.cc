#include "common/process/logged_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/time/system_clock.h"
#include "glog/logging.h"

namespace millrace {

namespace {

using internal::Descriptor;

constexpr size_t kLastStderrBytes = 4096;
constexpr size_t kLineBytesMax = size_t{64} << 10;
constexpr int64_t kMemoryIntervalNs = 250'000'000;
// How long what a dead process has written is read: somebody else may hold its pipes open.
constexpr int64_t kRestNs = 1'000'000'000;

struct Pipe {
  Descriptor out;
  Descriptor in;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return internal::ErrnoStatus("make", "a pipe");
  Pipe pipe{.out = Descriptor(ends[0]), .in = Descriptor(ends[1])};
  ::fcntl(pipe.out.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

// 0: the process is not there any more.
int64_t ResidentBytes(pid_t pid) {
  std::ifstream statm(absl::StrCat("/proc/", pid, "/statm"));
  int64_t total_pages = 0;
  int64_t resident_pages = 0;
  if (!(statm >> total_pages >> resident_pages)) return 0;
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

LoggedProcess::LoggedProcess(Options options, ChildProcess child, Descriptor wake_up, Output out,
                             Output err)
    : options_(std::move(options)),
      child_(std::move(child)),
      wake_up_(std::move(wake_up)),
      out_(std::move(out)),
      err_(std::move(err)),
      last_stderr_(kLastStderrBytes) {}

absl::StatusOr<std::unique_ptr<LoggedProcess>> LoggedProcess::Start(FileSystem& fs,
                                                                    Options options) {
  Descriptor wake_up(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_up.valid()) return internal::ErrnoStatus("make", "an event descriptor");
  ASSIGN_OR_RETURN(Pipe out, MakePipe());
  ASSIGN_OR_RETURN(Pipe err, MakePipe());
  options.spec.out_fd = out.in.get();
  options.spec.err_fd = err.in.get();
  ASSIGN_OR_RETURN(ChildProcess child, ChildProcess::Start(options.spec));
  std::ofstream(absl::StrCat("/proc/", child.pid(), "/oom_score_adj")) << 500;
  Output out_output{.pipe = std::move(out.out), .file = RotatingFile(fs, options.out)};
  Output err_output{.pipe = std::move(err.out), .file = RotatingFile(fs, options.err)};
  return std::unique_ptr<LoggedProcess>(new LoggedProcess(std::move(options), std::move(child),
                                                          std::move(wake_up), std::move(out_output),
                                                          std::move(err_output)));
}

void LoggedProcess::RequestEnd(int grace_ms) {
  grace_ms_ = grace_ms;
  ++end_requests_;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_up_.get(), &one, sizeof(one));
}

LoggedProcess::Outcome LoggedProcess::Run() {
  while (!Poll()) {
    EndAsRequested();
    CheckMemory();
  }
  Outcome outcome;
  outcome.exit = child_.Wait();
  ReadRest();
  outcome.was_requested = end_requests_ > 0;
  outcome.reason = outcome.exit.ToString();
  if (!over_memory_.empty()) {
    outcome.reason = over_memory_;
  } else if (outcome.exit.signal == SIGKILL && !outcome.was_requested) {
    outcome.reason +=
        "; the kernel does that when the machine or a control group has no memory left";
  }
  outcome.last_stderr = last_stderr_.text();
  return outcome;
}

bool LoggedProcess::Poll() {
  int64_t wait_ns = kMemoryIntervalNs;
  if (kill_at_ns_ != 0) wait_ns = std::clamp<int64_t>(kill_at_ns_ - MonotonicNanos(), 0, wait_ns);
  const bool may_sleep_on = options_.memory_bytes_max == 0 && kill_at_ns_ == 0;
  // poll leaves out negative descriptors.
  pollfd fds[] = {{child_.pid_fd(), POLLIN, 0},
                  {wake_up_.get(), POLLIN, 0},
                  {out_.is_open ? out_.pipe.get() : -1, POLLIN, 0},
                  {err_.is_open ? err_.pipe.get() : -1, POLLIN, 0}};
  ::poll(fds, std::size(fds), may_sleep_on ? -1 : static_cast<int>(wait_ns / 1'000'000 + 1));
  uint64_t wake_ups;
  [[maybe_unused]] const ssize_t read = ::read(wake_up_.get(), &wake_ups, sizeof(wake_ups));
  Read(out_, nullptr);
  Read(err_, &last_stderr_);
  return (fds[0].revents & POLLIN) != 0;
}

// What is there now, but no more than a slice: both streams and the process get their turns.
void LoggedProcess::Read(Output& output, LastLines* last) {
  char bytes[16 << 10];
  for (int i = 0; output.is_open && i < 16; ++i) {
    const ssize_t size = ::read(output.pipe.get(), bytes, sizeof(bytes));
    if (size < 0) break;  // Nothing there.
    if (size == 0) output.is_open = false;
    const std::string_view text(bytes, static_cast<size_t>(size));
    if (last != nullptr) last->Append(text);
    output.line += text;
    if (output.line.size() >= kLineBytesMax) WriteLines(output, /*is_end=*/false);
  }
  WriteLines(output, !output.is_open);
}

// Whole lines; a very long one in pieces.
void LoggedProcess::WriteLines(Output& output, bool is_end) {
  const size_t line_end = output.line.rfind('\n');
  size_t size = line_end == std::string::npos ? 0 : line_end + 1;
  if (is_end || output.line.size() - size >= kLineBytesMax) size = output.line.size();
  if (size == 0) return;
  // A full disk must not stop the process: what cannot be written is lost.
  const absl::Status status = output.file.Append(std::string_view(output.line).substr(0, size));
  LOG_IF_EVERY_N(WARNING, !status.ok(), 1000) << "output of a process is lost: " << status;
  output.line.erase(0, size);
}

void LoggedProcess::ReadRest() {
  const int64_t until_ns = MonotonicNanos() + kRestNs;
  while ((out_.is_open || err_.is_open) && MonotonicNanos() < until_ns) {
    pollfd fds[] = {{out_.is_open ? out_.pipe.get() : -1, POLLIN, 0},
                    {err_.is_open ? err_.pipe.get() : -1, POLLIN, 0}};
    ::poll(fds, std::size(fds), 100);
    Read(out_, nullptr);
    Read(err_, &last_stderr_);
  }
  WriteLines(out_, /*is_end=*/true);
  WriteLines(err_, /*is_end=*/true);
}

void LoggedProcess::CheckMemory() {
  const int64_t now_ns = MonotonicNanos();
  if (options_.memory_bytes_max == 0 || !over_memory_.empty() ||
      now_ns - memory_checked_ns_ < kMemoryIntervalNs) {
    return;
  }
  memory_checked_ns_ = now_ns;
  const int64_t bytes = ResidentBytes(child_.pid());
  if (bytes <= options_.memory_bytes_max) return;
  over_memory_ = absl::StrCat("killed: it held ", bytes >> 20, " MiB of memory and may hold ",
                              options_.memory_bytes_max >> 20, " MiB");
  child_.Signal(SIGKILL);
}

void LoggedProcess::EndAsRequested() {
  const int requests = end_requests_;
  if (requests == 0) return;
  if (kill_at_ns_ == 0) {
    kill_at_ns_ = MonotonicNanos() + int64_t{grace_ms_} * 1'000'000;
    child_.Signal(SIGTERM);
  }
  if (requests > 1 || MonotonicNanos() >= kill_at_ns_) child_.Signal(SIGKILL);
}

}  // namespace millrace
