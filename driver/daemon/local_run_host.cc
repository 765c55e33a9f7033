#include "driver/daemon/local_run_host.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/file_util.h"
#include "common/fs/path.h"
#include "common/fs/posix_file.h"
#include "driver/daemon/run_dir.h"
#include "driver/daemon/runner.h"
#include "glog/logging.h"

namespace millrace {

namespace {

using internal::Descriptor;

constexpr uint64_t kExitBytesMax = 64 << 10;

// The child of a child, so that it is nobody's zombie; with a session of its own, so that neither a
// terminal nor the end of the daemon ends it. Between fork and exec only calls that are safe there.
absl::Status SpawnRunner(const std::string& program, const std::string& attempt_dir, int lock_fd) {
  const std::string lock_text = std::to_string(lock_fd);
  const char* const argv[] = {program.c_str(), kRunnerArgument, attempt_dir.c_str(),
                              lock_text.c_str(), nullptr};
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  int errors[2];
  if (!null.valid() || ::pipe2(errors, O_CLOEXEC) != 0) {
    return internal::ErrnoStatus("start", program);
  }
  const Descriptor error_out(errors[0]);
  Descriptor error_in(errors[1]);
  const pid_t child = ::fork();
  if (child < 0) return internal::ErrnoStatus("start", program);
  if (child == 0) {
    ::setsid();
    const pid_t grandchild = ::fork();
    if (grandchild > 0) ::_exit(0);
    if (grandchild == 0) {
      sigset_t none;
      ::sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      for (int fd = 0; fd < 3; ++fd) ::dup2(null.get(), fd);
      ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
      ::fcntl(lock_fd, F_SETFD, 0);
      ::execv(program.c_str(), const_cast<char* const*>(argv));
    }
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(error_in.get(), &error, sizeof(error));
    ::_exit(127);
  }
  error_in.Close();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  int error = 0;
  if (::read(error_out.get(), &error, sizeof(error)) == sizeof(error)) {
    errno = error;
    return internal::ErrnoStatus("start", program);
  }
  return absl::OkStatus();
}

}  // namespace

LocalRunHost::LocalRunHost(FileSystem& fs, std::string dir, std::string runner_program)
    : fs_(fs), dir_(std::move(dir)), runner_program_(std::move(runner_program)) {}

std::string LocalRunHost::SubmissionDir(const std::string& submission_id) const {
  return dir_ + "/" + submission_id;
}

std::string LocalRunHost::DirOf(const RunId& run) const {
  return AttemptDir(SubmissionDir(run.submission_id), run.attempt);
}

absl::Status LocalRunHost::Start(const RunId& run, const proto::RunRequest& request,
                                 const std::vector<std::pair<std::string, std::string>>& files) {
  const std::string dir = DirOf(run);
  // What the attempt before had in its working directory is not kept.
  if (run.attempt > 1) {
    RETURN_IF_ERROR(
        fs_.DeleteRecursively(AttemptDir(SubmissionDir(run.submission_id), run.attempt - 1)));
  }
  RETURN_IF_ERROR(fs_.CreateDirs(dir + kRunWorkDir));
  for (const auto& [name, path] : files) {
    std::error_code error;
    std::filesystem::copy_file(path, absl::StrCat(dir, kRunWorkDir, "/", name),
                               std::filesystem::copy_options::overwrite_existing, error);
    if (error) {
      return absl::UnknownError(
          absl::StrCat("cannot put '", name, "' into '", dir, kRunWorkDir, "': ", error.message()));
    }
  }
  RETURN_IF_ERROR(WriteFileAtomically(fs_, dir + kRunRequestFile, request.SerializeAsString()));
  const std::string lock_path = dir + kRunLockFile;
  const Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return internal::ErrnoStatus("open", lock_path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return internal::ErrnoStatus("lock", lock_path);
  // The runner shares our lock, so it is held without a gap.
  return SpawnRunner(runner_program_, dir, lock.get());
}

// What cannot be known now, as without a free descriptor, is asked again later: a driver that runs
// must not be taken for a dead one.
bool LocalRunHost::IsLocked(const std::string& attempt_dir) {
  const Descriptor lock(::open((attempt_dir + kRunLockFile).c_str(), O_RDWR | O_CLOEXEC));
  if (!lock.valid()) return errno != ENOENT;
  return ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0;
}

std::optional<proto::ProcessExit> LocalRunHost::Poll(const RunId& run) {
  const std::string dir = DirOf(run);
  // In this order: the exit is written before the lock is free.
  if (IsLocked(dir)) return std::nullopt;
  proto::ProcessExit exit;
  const auto bytes = ReadWholeFile(fs_, dir + kRunExitFile, kExitBytesMax);
  if (!bytes.ok() || !exit.ParseFromString(*bytes)) {
    exit.set_signal(SIGKILL);
    exit.set_reason(
        "the driver and the runner that watched it are gone: they were killed, or the "
        "machine was restarted");
  }
  return exit;
}

bool LocalRunHost::RequestEnd(const RunId& run) {
  const std::string dir = DirOf(run);
  const auto text = ReadWholeFile(fs_, dir + kRunPidFile, 100);
  int pid = 0;
  // Its number is written a moment after it was started.
  if (!text.ok() || !absl::SimpleAtoi(*text, &pid) || pid <= 1) return false;
  const Descriptor pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pid_fd.valid()) return errno == ESRCH;  // It has ended, or is asked again.
  // Locked after it was opened: it is the runner and not a later process of the same number.
  if (!IsLocked(dir)) return true;
  return ::syscall(SYS_pidfd_send_signal, pid_fd.get(), SIGTERM, nullptr, 0) == 0;
}

void LocalRunHost::Forget(const std::string& submission_id) {
  const absl::Status status = fs_.DeleteRecursively(SubmissionDir(submission_id));
  LOG_IF(WARNING, !status.ok()) << "the logs of " << submission_id << " stay: " << status;
}

}  // namespace millrace
