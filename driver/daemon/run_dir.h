// The files by which the daemon and a runner process understand each other.
//
//   DIR/SUBMISSION/            stdout, stderr and the rotated ones: of all attempts
//   DIR/SUBMISSION/ATTEMPT/    request   a RunRequest
//                              lock      held by the runner for as long as it lives
//                              pid       of the runner
//                              exit      a ProcessExit, when the program has ended
//                              work/     the program's working directory
#ifndef MILLRACE_DRIVER_DAEMON_RUN_DIR_H_
#define MILLRACE_DRIVER_DAEMON_RUN_DIR_H_

#include <string>

#include "absl/strings/str_cat.h"

namespace millrace {

// The grace between SIGTERM and SIGKILL: a program that stops gracefully ends its batches first.
inline constexpr int kRunEndGraceMs = 30'000;

inline constexpr char kRunRequestFile[] = "/request";
inline constexpr char kRunLockFile[] = "/lock";
inline constexpr char kRunPidFile[] = "/pid";
inline constexpr char kRunExitFile[] = "/exit";
inline constexpr char kRunWorkDir[] = "/work";
inline constexpr char kRunStdoutFile[] = "/stdout";
inline constexpr char kRunStderrFile[] = "/stderr";
inline constexpr int kRunLogFilesMax = 8;

inline std::string AttemptDir(const std::string& submission_dir, int attempt) {
  return absl::StrCat(submission_dir, "/", attempt);
}

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_RUN_DIR_H_
