// What runs an application in a simulation.
#ifndef MILLRACE_TESTS_SIM_SIM_RUNTIME_H_
#define MILLRACE_TESTS_SIM_SIM_RUNTIME_H_

#include <chrono>
#include <cstdint>
#include <memory>

#include "client/cluster/worker_fleet.h"
#include "client/local/runtime.h"
#include "common/fs/file_system.h"
#include "driver/service/driver_service.h"
#include "tests/sim/cluster.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/sim_workers.h"

namespace millrace::sim {

// As ClusterRuntime, with a simulated Env and simulated processes. The clock runs by itself.
//
// Threads: the program's, which runs the world whenever it waits here.
class SimRuntime final : public internal::Runtime, public std::enable_shared_from_this<SimRuntime> {
 public:
  struct Options {
    FileSystem* fs = nullptr;  // The driver's, which outlives the runtime.
    int workers = 2;
    WorkerSettings worker;
    int64_t driver_epoch = 1;
    bool speculates = false;
    bool may_be_replaced = false;
    // That a driver before has left; null: there was none.
    std::shared_ptr<SimWorkers> left = nullptr;
  };

  // Returns when the workers are there. The cluster outlives the runtime.
  static absl::StatusOr<std::shared_ptr<SimRuntime>> Start(Cluster& cluster,
                                                           const Options& options);
  ~SimRuntime() override;

  internal::DriverHandle& driver() override { return driver_; }
  std::shared_ptr<internal::StreamingHandle> NewStreaming() override;
  Time Now() override { return Time(env_.NowMicros() / 1000); }
  void AdvanceClock(std::chrono::milliseconds step) override;
  void Stop() override;

  // As when the driver's process is killed: what it still does for itself reaches nobody. Its
  // workers learn of it and end. Returns when all are gone.
  void Crash();
  // The same, but its workers wait for the next driver, and what it had sent may still reach them.
  std::shared_ptr<SimWorkers> CrashAlone();

  // For faults and checks.
  SimEnv& env() { return env_; }
  SimWorkers& workers() { return *workers_; }
  internal::DriverCore& core() { return driver_.core(); }

 private:
  SimRuntime(Cluster& cluster, const Options& options);
  void StopDriver(bool with_workers);

  Cluster& cluster_;
  SimEnv env_;
  const std::shared_ptr<SimWorkers> workers_;
  internal::WorkerFleet fleet_;
  internal::DriverService driver_;
  bool is_stopped_ = false;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_SIM_RUNTIME_H_
