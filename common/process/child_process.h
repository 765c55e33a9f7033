// A child process: started, signalled, waited for.
#ifndef MILLRACE_COMMON_PROCESS_CHILD_PROCESS_H_
#define MILLRACE_COMMON_PROCESS_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/fs/posix_file.h"

namespace millrace {

struct ProcessSpec {
  std::string program;            // The path of the executable.
  std::vector<std::string> argv;  // With the name of the program as the first.
  // Added to this process' own, or in its place.
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::string work_dir = "";  // Empty: this process' own.
  int out_fd = -1;            // -1: /dev/null.
  int err_fd = -1;
  // Gets SIGKILL when the thread that started it ends, however that comes about.
  bool dies_with_parent = false;
  // -1: none; else this one stays open in the child, under its number.
  int kept_fd = -1;
};

struct ExitStatus {
  int code = 0;
  int signal = 0;  // 0: it ended by itself.

  bool ok() const { return code == 0 && signal == 0; }
  std::string ToString() const;  // "exited with 3", "killed by signal 11 (Segmentation fault)"
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

// Leads a process group of its own. Threads: one, but Signal any.
class ChildProcess {
 public:
  // Errors name the program: NotFound, PermissionDenied, ... from the child's own exec.
  static absl::StatusOr<ChildProcess> Start(const ProcessSpec& spec);

  ChildProcess(ChildProcess&&) noexcept = default;
  // A child that runs is killed, with its group, and waited for.
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  // Readable when the child has ended.
  int pid_fd() const { return pid_fd_.get(); }

  // To the child alone; nothing happens when it has ended.
  void Signal(int signal) const;

  // Waits until it ends. What it left running in its group is killed.
  ExitStatus Wait();

 private:
  static absl::StatusOr<ChildProcess> StartOnce(const ProcessSpec& spec);
  ChildProcess(pid_t pid, internal::Descriptor pid_fd) : pid_(pid), pid_fd_(std::move(pid_fd)) {}

  const pid_t pid_;
  internal::Descriptor pid_fd_;  // Invalid in a moved-from object.
  bool has_ended_ = false;
  ExitStatus exit_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_PROCESS_CHILD_PROCESS_H_
