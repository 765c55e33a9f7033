#include "tests/sim/sim_runtime.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "glog/logging.h"

namespace millrace::sim {
namespace {

constexpr int64_t kWorkerTimeoutMicros = 10'000'000;
// Short, so that many a task is slow.
constexpr std::chrono::milliseconds kMinTaskRuntime{1};
// For what runs on the driver to end when it is stopped.
constexpr int64_t kStopMicrosMax = int64_t{600} * 1'000'000;

internal::DriverOptions MakeDriverOptions(const SimRuntime::Options& options) {
  internal::DriverOptions driver;
  driver.epoch = options.driver_epoch;
  driver.worker_timeout_micros = kWorkerTimeoutMicros;
  driver.repairs_states = true;
  driver.may_be_replaced = options.may_be_replaced;
  driver.tasks.exclusion.max_failed_tasks = 3;
  driver.tasks.speculation.is_enabled = options.speculates;
  driver.tasks.speculation.min_runtime = kMinTaskRuntime;
  driver.tasks.speculation.quantile = 0.5;
  return driver;
}

}  // namespace

SimRuntime::SimRuntime(Cluster& cluster, const Options& options)
    : cluster_(cluster),
      env_(cluster.world, cluster.NewNode(), *options.fs, cluster.pace),
      workers_(options.left != nullptr ? options.left
                                       : std::make_shared<SimWorkers>(cluster, options.worker)),
      fleet_(env_, *workers_, *workers_, driver_,
             {.driver_epoch = options.driver_epoch, .left_workers = workers_->Left()}),
      driver_(env_, fleet_, MakeDriverOptions(options)) {
  workers_->SetDriver(env_.node(), fleet_);
}

absl::StatusOr<std::shared_ptr<SimRuntime>> SimRuntime::Start(Cluster& cluster,
                                                              const Options& options) {
  const std::shared_ptr<SimRuntime> runtime(new SimRuntime(cluster, options));
  RETURN_IF_ERROR(runtime->fleet_.BringUp(std::max(0, options.workers - runtime->fleet_.count())));
  return runtime;
}

SimRuntime::~SimRuntime() { Stop(); }

std::shared_ptr<internal::StreamingHandle> SimRuntime::NewStreaming() {
  // The handle posts to the env, so it keeps this alive.
  auto run = driver_.NewStreaming();
  if (run == nullptr) return nullptr;
  internal::StreamingHandle* const handle = run.get();
  auto holder = std::make_shared<
      std::pair<std::shared_ptr<SimRuntime>, std::shared_ptr<internal::StreamingHandle>>>(
      shared_from_this(), std::move(run));
  return std::shared_ptr<internal::StreamingHandle>(std::move(holder), handle);
}

void SimRuntime::AdvanceClock(std::chrono::milliseconds step) {
  cluster_.world.RunFor(std::chrono::microseconds(step).count());
}

void SimRuntime::Crash() {
  cluster_.network.Silence(env_.node());
  workers_->LoseDriver();
  Stop();
}

std::shared_ptr<SimWorkers> SimRuntime::CrashAlone() {
  cluster_.network.SilenceFromHereOn(env_.node());
  workers_->OutliveDriver();
  StopDriver(/*with_workers=*/false);
  return workers_;
}

void SimRuntime::Stop() { StopDriver(/*with_workers=*/true); }

void SimRuntime::StopDriver(bool with_workers) {
  if (std::exchange(is_stopped_, true)) return;
  World& world = cluster_.world;
  driver_.Stop();
  fleet_.Stop();
  if (with_workers) workers_->Stop();
  CHECK(world.RunUntil([this] { return env_.is_idle(); }, world.now_micros() + kStopMicrosMax))
      << "what runs on the driver does not end";
  world.Kill(env_.node());
  driver_.EnvStopped();
}

}  // namespace millrace::sim
