#include "executor/daemon/process_worker_host.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/concurrent/named_thread.h"
#include "common/fs/file_util.h"
#include "glog/logging.h"

namespace millrace {

namespace {

constexpr char kWorkDir[] = "/work";
constexpr char kPidFile[] = "/pid";
constexpr char kDriverFile[] = "/driver";
constexpr int64_t kLogBytesMax = int64_t{64} << 20;
constexpr int kLogFilesMax = 8;

// One of ours: no path in disguise.
absl::Status CheckName(const std::string& name, const char* what) {
  if (!name.empty() && name.size() <= 255 && name[0] != '.' &&
      name.find('/') == std::string::npos && name.find('\0') == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(what, " '", name.substr(0, 80), "' is not a plain name"));
}

// When the process was started, in ticks since the machine was: with its number it is unique. Not
// by FileSystem: files of /proc have no size.
std::optional<int64_t> StartTicks(int pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string stat;
  std::getline(file, stat);
  // Behind the program's name, which may hold anything.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(name_end + 1), ' ', absl::SkipEmpty());
  int64_t ticks = 0;
  if (fields.size() < 20 || !absl::SimpleAtoi(fields[19], &ticks)) return std::nullopt;
  return ticks;
}

void KillLeftover(FileSystem& fs, const std::string& pid_path) {
  const auto text = ReadWholeFile(fs, pid_path, 100);
  if (!text.ok()) return;
  const std::vector<std::string> numbers = absl::StrSplit(*text, ' ');
  int pid = 0;
  int64_t ticks = 0;
  if (numbers.size() == 2 && absl::SimpleAtoi(numbers[0], &pid) && pid > 1 &&
      absl::SimpleAtoi(numbers[1], &ticks) && StartTicks(pid) == ticks) {
    LOG(WARNING) << "kills process " << pid << ", which a daemon before has left";
    ::kill(-pid, SIGKILL);
  }
}

proto::ProcessExit ExitOf(const LoggedProcess::Outcome& outcome) {
  proto::ProcessExit exit;
  exit.set_code(outcome.exit.code);
  exit.set_signal(outcome.exit.signal);
  exit.set_reason(outcome.reason);
  exit.set_last_stderr(outcome.last_stderr);
  exit.set_is_requested(outcome.was_requested);
  return exit;
}

}  // namespace

ProcessWorkerHost::ProcessWorkerHost(Env& env, FileSystem& fs, Options options)
    : env_(env), fs_(fs), options_(std::move(options)) {}

ProcessWorkerHost::~ProcessWorkerHost() {
  for (const auto& [key, running] : running_) {
    // Twice: at once.
    RequestEnd(key.first, key.second);
    RequestEnd(key.first, key.second);
  }
  for (const auto& [key, running] : running_) running->thread.join();
}

std::string ProcessWorkerHost::WorkerDir(const std::string& app_id, int64_t worker_id) const {
  return absl::StrCat(options_.dir, "/", app_id, "/", worker_id);
}

absl::Status ProcessWorkerHost::Recover() {
  RETURN_IF_ERROR(fs_.CreateDirs(options_.dir));
  ASSIGN_OR_RETURN(const std::vector<FileInfo> applications, fs_.List(options_.dir));
  for (const FileInfo& application : applications) {
    if (!application.is_dir) continue;
    const std::string app_dir = options_.dir + "/" + application.name;
    ASSIGN_OR_RETURN(const std::vector<FileInfo> workers, fs_.List(app_dir));
    for (const FileInfo& worker : workers) {
      const std::string dir = app_dir + "/" + worker.name;
      KillLeftover(fs_, dir + kPidFile);
      RETURN_IF_ERROR(fs_.DeleteRecursively(dir + kPidFile));
      RETURN_IF_ERROR(fs_.DeleteRecursively(dir + kDriverFile));
      RETURN_IF_ERROR(fs_.DeleteRecursively(dir + kWorkDir));
    }
  }
  ForgetOldLogs();
  return absl::OkStatus();
}

void ProcessWorkerHost::Start(const proto::LaunchWorker& launch,
                              std::function<void(proto::ProcessExit)> on_ended) {
  const WorkerKey key(launch.worker().app_id(), launch.worker().worker_id());
  const auto running = std::make_shared<Running>();
  {
    const absl::MutexLock lock(&running->mutex);
    running->driver_address = launch.driver_address();
  }
  running_[key] = running;
  running->thread = StartThread("worker", [this, key, launch, running, on_ended] {
    proto::ProcessExit exit = RunWorker(launch, *running);
    env_.Post([this, key, on_ended, exit = std::move(exit)] {
      const auto it = running_.find(key);
      it->second->thread.join();
      running_.erase(it);
      ForgetOldWorkers(key.first);
      on_ended(exit);
    });
  });
}

absl::StatusOr<LoggedProcess::Options> ProcessWorkerHost::Prepare(
    const proto::LaunchWorker& launch) {
  const proto::WorkerRef& worker = launch.worker();
  const proto::Program& program = launch.program();
  RETURN_IF_ERROR(CheckName(program.name(), "the program"));
  const std::string dir = WorkerDir(worker.app_id(), worker.worker_id());
  const std::string work_dir = dir + kWorkDir;
  RETURN_IF_ERROR(fs_.CreateDirs(work_dir));
  ASSIGN_OR_RETURN(const std::string path, options_.fetch(program.sha256()));
  for (const proto::ProgramFile& file : program.files()) {
    RETURN_IF_ERROR(CheckName(file.name(), "the file"));
    ASSIGN_OR_RETURN(const std::string file_path, options_.fetch(file.sha256()));
    std::error_code error;
    std::filesystem::copy_file(file_path, work_dir + "/" + file.name(), error);
    if (error) {
      return absl::UnknownError(
          absl::StrCat("cannot put '", file.name(), "' into '", work_dir, "': ", error.message()));
    }
  }
  LoggedProcess::Options options{
      .spec = {.program = path,
               .argv = {program.name()},
               .environment = options_.environment,
               .work_dir = work_dir,
               .dies_with_parent = true},
      .out = {.path = dir + "/stdout", .bytes_max = kLogBytesMax, .files_max = kLogFilesMax},
      .err = {.path = dir + "/stderr", .bytes_max = kLogBytesMax, .files_max = kLogFilesMax},
      .memory_bytes_max = worker.memory_mb() << 20};
  if (launch.logs().bytes_max() > 0) {
    options.out.bytes_max = options.err.bytes_max = launch.logs().bytes_max();
  }
  if (launch.logs().files_max() > 0) {
    options.out.files_max = options.err.files_max = launch.logs().files_max();
  }
  options.spec.argv.insert(options.spec.argv.end(), program.argv().begin(), program.argv().end());
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"MILLRACE_ROLE", "worker"},
           {"MILLRACE_DRIVER_ADDRESS", launch.driver_address()},
           {"MILLRACE_DRIVER_FILE", dir + kDriverFile},
           {"MILLRACE_APP_ID", worker.app_id()},
           {"MILLRACE_WORKER_ID", absl::StrCat(worker.worker_id())},
           {"MILLRACE_WORKER_CORES", absl::StrCat(worker.cores())},
           {"MILLRACE_WORKER_MEMORY_MB", absl::StrCat(worker.memory_mb())},
           {"MILLRACE_WORKER_HOST", options_.host},
           {"MILLRACE_WORK_DIR", work_dir}}) {
    options.spec.environment.emplace_back(name, value);
  }
  return options;
}

absl::StatusOr<std::unique_ptr<LoggedProcess>> ProcessWorkerHost::StartProcess(
    const proto::LaunchWorker& launch, Running& running) {
  ASSIGN_OR_RETURN(LoggedProcess::Options options, Prepare(launch));
  const absl::MutexLock lock(&running.mutex);
  if (running.end_requests > 0) return absl::CancelledError("it was told to end before it started");
  const std::string dir = WorkerDir(launch.worker().app_id(), launch.worker().worker_id());
  RETURN_IF_ERROR(WriteFileAtomically(fs_, dir + kDriverFile, running.driver_address));
  ASSIGN_OR_RETURN(std::unique_ptr<LoggedProcess> process,
                   LoggedProcess::Start(fs_, std::move(options)));
  const std::string pid_text =
      absl::StrCat(process->pid(), " ", StartTicks(process->pid()).value_or(0));
  RETURN_IF_ERROR(WriteFileAtomically(fs_, dir + kPidFile, pid_text));
  running.process = process.get();
  return process;
}

proto::ProcessExit ProcessWorkerHost::RunWorker(const proto::LaunchWorker& launch,
                                                Running& running) {
  proto::ProcessExit exit;
  // Before it is part of any path, those that are deleted below too.
  if (const absl::Status status = CheckName(launch.worker().app_id(), "the application");
      !status.ok()) {
    exit.set_code(127);
    exit.set_reason(absl::StrCat("not started: ", status.message()));
    return exit;
  }
  const std::string dir = WorkerDir(launch.worker().app_id(), launch.worker().worker_id());
  const auto process = StartProcess(launch, running);
  if (process.ok()) {
    exit = ExitOf((*process)->Run());
    const absl::MutexLock lock(&running.mutex);
    running.process = nullptr;
  } else {
    exit.set_code(127);
    exit.set_reason(absl::StrCat("not started: ", process.status().message()));
    exit.set_is_requested(absl::IsCancelled(process.status()));
  }
  for (const char* name : {kPidFile, kDriverFile, kWorkDir}) {
    const absl::Status status = fs_.DeleteRecursively(dir + name);
    LOG_IF(WARNING, !status.ok()) << "what a worker left stays: " << status;
  }
  return exit;
}

void ProcessWorkerHost::SetDriver(const std::string& app_id, int64_t worker_id,
                                  const std::string& driver_address) {
  const auto it = running_.find({app_id, worker_id});
  if (it == running_.end()) return;
  Running& running = *it->second;
  const absl::MutexLock lock(&running.mutex);
  running.driver_address = driver_address;
  if (running.process == nullptr) return;  // It will be told at its start.
  const absl::Status status =
      WriteFileAtomically(fs_, WorkerDir(app_id, worker_id) + kDriverFile, driver_address);
  LOG_IF(WARNING, !status.ok()) << "worker " << worker_id << " of " << app_id
                                << " will not find its new driver: " << status;
}

void ProcessWorkerHost::RequestEnd(const std::string& app_id, int64_t worker_id) {
  const auto it = running_.find({app_id, worker_id});
  if (it == running_.end()) return;
  Running& running = *it->second;
  const absl::MutexLock lock(&running.mutex);
  ++running.end_requests;
  if (running.process != nullptr) running.process->RequestEnd(options_.end_grace_ms);
}

void ProcessWorkerHost::Forget(const std::string& app_id) {
  VLOG(1) << app_id << " is forgotten";
  ForgetOldLogs();
}

// An application that runs for months may lose many workers.
void ProcessWorkerHost::ForgetOldWorkers(const std::string& app_id) {
  if (!CheckName(app_id, "the application").ok()) return;
  const std::string app_dir = absl::StrCat(options_.dir, "/", app_id);
  const auto workers = fs_.List(app_dir);
  if (!workers.ok()) return;
  std::vector<std::pair<int64_t, std::string>> ended;
  for (const FileInfo& worker : *workers) {
    int64_t worker_id = 0;
    const bool is_running =
        absl::SimpleAtoi(worker.name, &worker_id) && running_.contains({app_id, worker_id});
    if (!is_running) ended.emplace_back(worker.modified_ms, worker.name);
  }
  DeleteOldest(app_dir, std::move(ended), options_.ended_workers_max);
}

// Directories of workers go with them; logs stay for those who ask why, but not for ever.
void ProcessWorkerHost::ForgetOldLogs() {
  const auto applications = fs_.List(options_.dir);
  if (!applications.ok()) return;
  std::vector<std::pair<int64_t, std::string>> ended;
  for (const FileInfo& application : *applications) {
    const bool is_running = std::any_of(running_.begin(), running_.end(), [&](const auto& entry) {
      return entry.first.first == application.name;
    });
    if (!is_running) ended.emplace_back(application.modified_ms, application.name);
  }
  DeleteOldest(options_.dir, std::move(ended), options_.logs_max);
}

void ProcessWorkerHost::DeleteOldest(const std::string& dir,
                                     std::vector<std::pair<int64_t, std::string>> by_age,
                                     int kept_max) {
  std::sort(by_age.begin(), by_age.end());
  for (size_t i = 0; i + static_cast<size_t>(kept_max) < by_age.size(); ++i) {
    const absl::Status status = fs_.DeleteRecursively(dir + "/" + by_age[i].second);
    LOG_IF(WARNING, !status.ok()) << "old logs stay: " << status;
  }
}

}  // namespace millrace
