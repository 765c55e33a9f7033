#include "client/local/local_runtime.h"

#include <unistd.h>

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/concurrent/one_shot.h"
#include "common/fs/path.h"
#include "common/time/system_clock.h"

namespace millrace::internal {
namespace {

constexpr int64_t kWorkerId = 1;
// Batches being made and listeners, which may wait for one another and for the jobs of batches.
constexpr int kJobThreads = 8;

RealEnv::Options EnvOptions(const LocalRuntime::Options& options) {
  RealEnv::Options env;
  env.name = "millrace";
  env.task_threads = options.task_threads;
  env.job_threads = kJobThreads + options.concurrent_jobs;
  env.manual_wall_clock = options.manual_clock;
  return env;
}

DriverOptions MakeDriverOptions(const LocalRuntime::Options& options) {
  DriverOptions driver;
  driver.tasks = options.tasks;
  driver.epoch = options.driver_epoch;
  return driver;
}

// Several contexts of a process may live at once.
std::string SpillPath(const std::string& local_dir) {
  static std::atomic<int> last{0};
  return JoinPath(local_dir, absl::StrCat("millrace-", getpid(), "-", last.fetch_add(1)));
}

}  // namespace

LocalRuntime::LocalRuntime(const Options& options, FileSystem& fs)
    : env_(EnvOptions(options), fs),
      memory_(options.memory_bytes),
      disk_(fs, SpillPath(options.local_dir)),
      blocks_(memory_, disk_),
      shuffles_(memory_, blocks_, disk_),
      router_(shuffles_),
      receivers_(env_, blocks_, /*replicator=*/nullptr, &fs),
      transport_(env_),
      driver_(env_, transport_, MakeDriverOptions(options)) {
  WorkerOptions worker;
  worker.worker_id = kWorkerId;
  worker.task_slots = options.task_threads;
  const TaskServices services{blocks_, shuffles_, router_, states_, fs, MonotonicNanos};
  worker_ = std::make_unique<WorkerCore>(
      worker, WorkerCore::Parts{env_,
                                transport_.ConnectWorker(kWorkerId,
                                                         [this](proto::ToWorker message) {
                                                           worker_->Handle(std::move(message));
                                                         }),
                                services, disk_, memory_, receivers_});
  transport_.ConnectDriver(
      [this](proto::ToDriver message) { driver_.core().HandleMessage(std::move(message)); });
  ConnectCores();
}

// Returns when the driver knows the worker's slots: data sets made from here on are partitioned by
// their number.
void LocalRuntime::ConnectCores() {
  OneShot<bool> connected;
  env_.Post([this, &connected] {
    worker_->Start();
    // The hello was posted by the line above, so it is there before what is posted now.
    env_.Post([&connected] { connected.Set(true); });
  });
  connected.Wait();
}

LocalRuntime::~LocalRuntime() { Stop(); }

std::shared_ptr<StreamingHandle> LocalRuntime::NewStreaming() {
  // The handle posts to the env, so it keeps this alive.
  auto run = driver_.NewStreaming();
  if (run == nullptr) return nullptr;
  StreamingHandle* const handle = run.get();
  auto holder =
      std::make_shared<std::pair<std::shared_ptr<LocalRuntime>, std::shared_ptr<StreamingHandle>>>(
          shared_from_this(), std::move(run));
  return std::shared_ptr<StreamingHandle>(std::move(holder), handle);
}

void LocalRuntime::Stop() {
  driver_.Stop();
  env_.Post([this] { worker_->Stop(); });
  env_.Stop();
  driver_.EnvStopped();
}

}  // namespace millrace::internal
