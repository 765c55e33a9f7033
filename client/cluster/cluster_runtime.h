// An application whose work is done by worker processes.
#ifndef MILLRACE_CLIENT_CLUSTER_CLUSTER_RUNTIME_H_
#define MILLRACE_CLIENT_CLUSTER_CLUSTER_RUNTIME_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "client/cluster/worker_launcher.h"
#include "client/local/runtime.h"
#include "common/concurrent/watched.h"
#include "common/env/real_env.h"
#include "common/metrics/metrics_registry.h"
#include "common/rpc/grpc_driver_transport.h"
#include "driver/service/driver_service.h"

namespace millrace::internal {

// The driver core on an event loop, job threads, a gRPC server that workers call, and a launcher
// that brings workers up. A worker that is lost is ended for good and replaced, under a new id.
//
// Threads: as Runtime says.
class ClusterRuntime final : public Runtime,
                             public std::enable_shared_from_this<ClusterRuntime>,
                             private DriverTransport,
                             private GrpcDriverTransport::Owner,
                             private WorkerLauncher::Listener {
 public:
  struct Options {
    int workers = 1;
    WorkerSpec spec;  // But for the driver's address.
    std::string listen_host = "127.0.0.1";
    std::shared_ptr<const RpcSecurity> security;
    // Counts who is refused; `security` was loaded with it.
    std::shared_ptr<MetricsRegistry> metrics = std::make_shared<MetricsRegistry>();
    int concurrent_jobs = 1;  // Of batches.
    TaskOptions tasks;
    int64_t worker_timeout_micros = 10'000'000;
    bool manual_clock = false;
    int64_t driver_epoch = 1;
    // Removed when the runtime stops; empty: none.
    std::string work_dir;
  };

  // Returns when all workers are there, or after a minute with those that are. Unavailable: one of
  // them ended before that, or none has come; the message has its reason. `fs` outlives the
  // runtime.
  static absl::StatusOr<std::shared_ptr<ClusterRuntime>> Start(
      Options options, std::unique_ptr<WorkerLauncher> launcher, FileSystem& fs);
  ~ClusterRuntime() override;

  DriverHandle& driver() override { return driver_; }
  std::shared_ptr<StreamingHandle> NewStreaming() override;
  Time Now() override { return Time(env_.NowMicros() / 1000); }
  void AdvanceClock(std::chrono::milliseconds step) override { env_.AdvanceWall(step); }
  void Stop() override;

 private:
  struct Beginning {
    int joined_count = 0;
    std::string failure;  // Of a worker that has ended; empty: none has.
  };

  ClusterRuntime(Options options, std::unique_ptr<WorkerLauncher> launcher, FileSystem& fs);
  absl::Status BringUp();

  // Of the event loop.
  void LaunchWorker();
  void ReplaceLater();
  void OnWorkerExitedOnLoop(int64_t worker_id, const std::string& reason);

  // DriverTransport
  void SendToWorker(int64_t worker_id, proto::ToWorker message) override;
  void DisconnectWorker(int64_t worker_id, const absl::Status& reason) override;
  // GrpcDriverTransport::Owner
  absl::Status MayJoin(int64_t worker_id) override;
  void OnMessage(proto::ToDriver message) override;
  void OnDisconnected(int64_t worker_id, const std::string& reason) override;
  // WorkerLauncher::Listener
  void OnWorkerExited(int64_t worker_id, const std::string& reason) override;

  const Options options_;
  FileSystem& fs_;
  // The env outlives what follows: its threads end with Stop, before anything goes.
  RealEnv env_;
  GrpcDriverTransport transport_;
  DriverService driver_;
  const std::unique_ptr<WorkerLauncher> launcher_;
  Watched<Beginning> beginning_;

  // The event loop's.
  enum class WorkerPhase { kLaunched, kJoined, kGone };
  std::map<int64_t, WorkerPhase> workers_;  // Whose process has not ended.
  int64_t last_worker_id_ = 0;
  int failed_starts_ = 0;  // In a row.
  bool is_stopping_ = false;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_CLUSTER_RUNTIME_H_
