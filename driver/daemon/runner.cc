#include "driver/daemon/runner.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string_view>

#include "common/base/status_macros.h"
#include "common/concurrent/named_thread.h"
#include "common/fs/file_util.h"
#include "common/fs/local_file_system.h"
#include "common/fs/path.h"
#include "common/process/logged_process.h"
#include "driver/daemon/run_dir.h"
#include "glog/logging.h"
#include "proto/daemon_state.pb.h"

namespace millrace {

namespace {

constexpr uint64_t kRequestBytesMax = uint64_t{16} << 20;

absl::StatusOr<LoggedProcess::Options> ReadRequest(FileSystem& fs, const std::string& attempt_dir) {
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadWholeFile(fs, attempt_dir + kRunRequestFile, kRequestBytesMax));
  proto::RunRequest request;
  if (!request.ParseFromString(bytes)) {
    return absl::DataLossError("'" + attempt_dir + kRunRequestFile + "' is damaged");
  }
  const std::string submission_dir(DirName(attempt_dir));
  LoggedProcess::Options options{
      .spec = {.program = request.program_path(),
               .argv = {request.argv().begin(), request.argv().end()},
               .work_dir = attempt_dir + kRunWorkDir,
               .dies_with_parent = true},
      .out = {.path = submission_dir + kRunStdoutFile, .files_max = kRunLogFilesMax},
      .err = {.path = submission_dir + kRunStderrFile, .files_max = kRunLogFilesMax},
      .memory_bytes_max = request.memory_bytes_max()};
  for (const std::string& variable : request.environment()) {
    const size_t equals = variable.find('=');
    options.spec.environment.emplace_back(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return options;
}

// SIGTERM to us ends the program; a second one at once.
void HandSigtermOn(LoggedProcess& process) {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  int signal = 0;
  while (::sigwait(&signals, &signal) == 0) process.RequestEnd(kRunEndGraceMs);
}

absl::StatusOr<proto::ProcessExit> Run(FileSystem& fs, const std::string& attempt_dir) {
  ASSIGN_OR_RETURN(LoggedProcess::Options options, ReadRequest(fs, attempt_dir));
  ASSIGN_OR_RETURN(std::unique_ptr<LoggedProcess> process,
                   LoggedProcess::Start(fs, std::move(options)));
  // It ends with this process, which ends right behind the program.
  LoggedProcess* const running = process.release();
  StartThread("signals", [running] { HandSigtermOn(*running); }).detach();
  const LoggedProcess::Outcome outcome = running->Run();
  proto::ProcessExit exit;
  exit.set_code(outcome.exit.code);
  exit.set_signal(outcome.exit.signal);
  exit.set_reason(outcome.reason);
  exit.set_last_stderr(outcome.last_stderr);
  exit.set_is_requested(outcome.was_requested);
  return exit;
}

}  // namespace

int RunAttempt(const std::string& attempt_dir, int lock_fd) {
  ::fcntl(lock_fd, F_SETFD, FD_CLOEXEC);
  // Blocked in all threads; one waits for it.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGINT, SIG_IGN);
  LocalFileSystem fs;
  absl::Status written =
      WriteFileAtomically(fs, attempt_dir + kRunPidFile, std::to_string(::getpid()));
  if (!written.ok()) return 1;
  absl::StatusOr<proto::ProcessExit> exit = Run(fs, attempt_dir);
  if (!exit.ok()) {
    exit.emplace();
    exit->set_code(127);
    exit->set_reason(std::string(exit.status().message()));
  }
  written = WriteFileAtomically(fs, attempt_dir + kRunExitFile, exit->SerializeAsString());
  return written.ok() ? 0 : 1;
}

}  // namespace millrace
