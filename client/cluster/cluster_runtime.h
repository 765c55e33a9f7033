// An application whose work is done by worker processes.
#ifndef MILLRACE_CLIENT_CLUSTER_CLUSTER_RUNTIME_H_
#define MILLRACE_CLIENT_CLUSTER_CLUSTER_RUNTIME_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cluster/worker_fleet.h"
#include "client/cluster/worker_launcher.h"
#include "client/local/runtime.h"
#include "common/env/real_env.h"
#include "common/metrics/metrics_registry.h"
#include "common/rpc/grpc_driver_transport.h"
#include "driver/service/driver_service.h"

namespace millrace::internal {

// The driver core on an event loop, job threads, a gRPC server that workers call, and a launcher
// that brings workers up.
//
// Threads: as Runtime says.
class ClusterRuntime final : public Runtime,
                             public std::enable_shared_from_this<ClusterRuntime>,
                             private GrpcDriverTransport::Owner {
 public:
  struct Options {
    int workers = 1;  // Beside those that the driver before has left.
    std::vector<int64_t> left_workers;
    // There is room for no more, however much work there is.
    int workers_max = std::numeric_limits<int>::max();
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
    // Another driver of the application may come after this one, and find its workers.
    bool may_be_replaced = false;
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
  ClusterRuntime(Options options, std::unique_ptr<WorkerLauncher> launcher, FileSystem& fs);
  absl::Status BringUp();

  // GrpcDriverTransport::Owner
  absl::Status MayJoin(int64_t worker_id) override { return fleet_.MayJoin(worker_id); }
  void OnMessage(proto::ToDriver message) override { fleet_.OnMessage(std::move(message)); }
  void OnDisconnected(int64_t worker_id, const std::string& reason) override {
    fleet_.OnDisconnected(worker_id, reason);
  }

  const Options options_;
  // The env outlives what follows: its threads end with Stop, before anything goes.
  RealEnv env_;
  GrpcDriverTransport transport_;
  const std::unique_ptr<WorkerLauncher> launcher_;
  WorkerFleet fleet_;
  DriverService driver_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_CLUSTER_RUNTIME_H_
