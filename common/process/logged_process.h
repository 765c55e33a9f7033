// A process that a daemon runs for somebody else, from its start to its end.
#ifndef MILLRACE_COMMON_PROCESS_LOGGED_PROCESS_H_
#define MILLRACE_COMMON_PROCESS_LOGGED_PROCESS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/fs/file_system.h"
#include "common/fs/posix_file.h"
#include "common/fs/rotating_file.h"
#include "common/process/child_process.h"
#include "common/process/last_lines.h"

namespace millrace {

// What it writes goes to rotating files; the end of its standard error is kept for whoever asks why
// it died; and it is killed when it holds more memory than it may.
//
// Memory is what /proc says is resident, looked at four times a second: a limit of address space
// would count what is only reserved, and control groups need rights that a daemon need not have. A
// process can thus be over its limit for a moment; the kernel is told to pick it, and not the
// daemon, when the machine itself runs out.
//
// Threads: Start and Run on one thread, with which the process dies when the spec says so;
// RequestEnd from any.
class LoggedProcess {
 public:
  struct Options {
    ProcessSpec spec;  // Its two streams are set here.
    RotatingFile::Options out;
    RotatingFile::Options err;
    int64_t memory_bytes_max = 0;  // 0: no limit.
  };

  struct Outcome {
    ExitStatus exit;
    std::string reason;       // What `exit` says, and the memory limit.
    std::string last_stderr;  // At most 4 KiB.
    bool was_requested = false;
  };

  static absl::StatusOr<std::unique_ptr<LoggedProcess>> Start(FileSystem& fs, Options options);

  // Until the process has ended and what it wrote is in the files.
  Outcome Run();

  // SIGTERM, and SIGKILL after `grace_ms`, or at once when asked a second time.
  void RequestEnd(int grace_ms);

  pid_t pid() const { return child_.pid(); }

 private:
  struct Output {
    internal::Descriptor pipe;
    RotatingFile file;
    std::string line = "";  // What has been read and not been written.
    bool is_open = true;
  };

  LoggedProcess(Options options, ChildProcess child, internal::Descriptor wake_up, Output out,
                Output err);
  // Waits for what comes first: output, the process' end, a request, the next look at its memory.
  // True: it has ended.
  bool Poll();
  void Read(Output& output, LastLines* last);
  void WriteLines(Output& output, bool is_end);
  void ReadRest();
  void CheckMemory();
  void EndAsRequested();

  const Options options_;
  ChildProcess child_;
  const internal::Descriptor wake_up_;  // An eventfd.
  Output out_;
  Output err_;
  LastLines last_stderr_;
  std::string over_memory_;  // How it was over its limit, when it was killed for that.
  int64_t kill_at_ns_ = 0;   // When it was asked to end: until when it may take.
  int64_t memory_checked_ns_ = 0;

  std::atomic<int> end_requests_{0};
  std::atomic<int> grace_ms_{0};
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_PROCESS_LOGGED_PROCESS_H_
