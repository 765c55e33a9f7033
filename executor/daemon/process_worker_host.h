// Workers as processes of this machine.
#ifndef MILLRACE_EXECUTOR_DAEMON_PROCESS_WORKER_HOST_H_
#define MILLRACE_EXECUTOR_DAEMON_PROCESS_WORKER_HOST_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/env/env.h"
#include "common/fs/file_system.h"
#include "common/process/logged_process.h"
#include "executor/daemon/worker_host.h"

namespace millrace {

//   DIR/APPLICATION/WORKER/stdout, stderr, and the rotated ones
//                          pid              while it runs: its number and when it was started
//                          driver           while it runs: where it finds its driver
//                          work/            its working directory; goes when it ends
//
// Each worker has a thread, which fetches what it needs, starts it and waits for it: a process dies
// with the thread that started it, so none outlives the daemon.
//
// Threads: the core's event loop; the destructor any other.
class ProcessWorkerHost : public WorkerHost {
 public:
  struct Options {
    std::string dir;
    std::string host;  // Of this machine, as its workers call themselves.
    // The path of an artifact, which is fetched when it is not here. On threads of workers.
    std::function<absl::StatusOr<std::string>(const std::string& sha256)> fetch;
    // Added to every worker's environment.
    std::vector<std::pair<std::string, std::string>> environment = {};
    int end_grace_ms = 5'000;
    int logs_max = 100;          // Applications whose logs are kept after their end.
    int ended_workers_max = 20;  // Of one application: whose logs are kept while it runs.
  };

  // `env` and `fs` outlive this.
  ProcessWorkerHost(Env& env, FileSystem& fs, Options options);
  ~ProcessWorkerHost() override;  // Kills what runs.

  // Kills what a daemon before has left running, and deletes what it left. Once, before all else.
  absl::Status Recover();

  void Start(const proto::LaunchWorker& launch,
             std::function<void(proto::ProcessExit)> on_ended) override;
  void SetDriver(const std::string& app_id, int64_t worker_id,
                 const std::string& driver_address) override;
  void RequestEnd(const std::string& app_id, int64_t worker_id) override;
  void Forget(const std::string& app_id) override;

  std::string WorkerDir(const std::string& app_id, int64_t worker_id) const;

 private:
  using WorkerKey = std::pair<std::string, int64_t>;

  // What the event loop and the worker's thread share.
  struct Running {
    std::thread thread;  // The event loop's.
    absl::Mutex mutex;
    LoggedProcess* process ABSL_GUARDED_BY(mutex) = nullptr;
    int end_requests ABSL_GUARDED_BY(mutex) = 0;
    std::string driver_address ABSL_GUARDED_BY(mutex);
  };

  proto::ProcessExit RunWorker(const proto::LaunchWorker& launch, Running& running);
  absl::StatusOr<LoggedProcess::Options> Prepare(const proto::LaunchWorker& launch);
  absl::StatusOr<std::unique_ptr<LoggedProcess>> StartProcess(const proto::LaunchWorker& launch,
                                                              Running& running);
  void ForgetOldLogs();
  void ForgetOldWorkers(const std::string& app_id);
  // All but the youngest `kept_max` entries of the directory, which are given with their ages.
  void DeleteOldest(const std::string& dir, std::vector<std::pair<int64_t, std::string>> by_age,
                    int kept_max);

  Env& env_;
  FileSystem& fs_;
  const Options options_;
  std::map<WorkerKey, std::shared_ptr<Running>> running_;
};

}  // namespace millrace

#endif  // MILLRACE_EXECUTOR_DAEMON_PROCESS_WORKER_HOST_H_
