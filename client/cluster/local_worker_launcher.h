// Worker processes of local-cluster[...]: children of this process.
#ifndef MILLRACE_CLIENT_CLUSTER_LOCAL_WORKER_LAUNCHER_H_
#define MILLRACE_CLIENT_CLUSTER_LOCAL_WORKER_LAUNCHER_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "client/cluster/local_work_dir.h"
#include "client/cluster/worker_launcher.h"

namespace millrace::internal {

// Runs this program once more for each worker, with the same arguments. What workers write goes to
// this process's standard error. They end with this process, however it ends.
//
// Threads: as WorkerLauncher says. A thread of its own starts and awaits the processes: the kernel
// ends children that asked for it with the thread that started them.
class LocalWorkerLauncher final : public WorkerLauncher {
 public:
  struct Options {
    std::vector<std::string> argv;  // Of this process, as it was started.
    // Each worker gets a directory of its own in it. Gone when all have ended.
    std::unique_ptr<LocalWorkDir> work_dir;
  };

  explicit LocalWorkerLauncher(Options options);
  ~LocalWorkerLauncher() override;  // Stops.

  absl::Status Start(const WorkerSpec& spec, Listener& listener) override;
  void Launch(int64_t worker_id) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Kill(int64_t worker_id) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Child {
    pid_t pid = -1;
    int exit_fd = -1;  // Readable when it has ended.
  };
  struct Orders {
    std::vector<int64_t> launches;
    std::vector<int64_t> kills;
    bool stop = false;
  };

  void Run();
  Orders TakeOrders() ABSL_LOCKS_EXCLUDED(mutex_);
  void Order(absl::FunctionRef<void(Orders&)> add) ABSL_LOCKS_EXCLUDED(mutex_);
  // The thread's own.
  void StartChild(int64_t worker_id);
  void KillChildren(const std::vector<int64_t>& worker_ids);
  absl::Status Fork(int64_t worker_id, Child& child);
  std::vector<std::string> EnvironmentOf(int64_t worker_id) const;
  void AwaitSomething(int timeout_ms);
  void ReapEnded();
  void EndAll();

  const std::vector<std::string> argv_;
  std::unique_ptr<LocalWorkDir> work_dir_;
  WorkerSpec spec_;
  Listener* listener_ = nullptr;
  int wake_fd_ = -1;

  std::map<int64_t, Child> children_;  // The thread's, by worker.

  absl::Mutex mutex_;
  Orders orders_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_LOCAL_WORKER_LAUNCHER_H_
