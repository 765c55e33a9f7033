#include "client/cluster/cluster_runtime.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cluster/binary_digest.h"
#include "common/base/status_macros.h"
#include "common/config/master_url.h"
#include "common/fs/file_system.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// Batches being made and listeners, which may wait for one another and for the jobs of batches.
constexpr int kJobThreads = 8;

RealEnv::Options EnvOptions(const ClusterRuntime::Options& options) {
  RealEnv::Options env;
  env.name = "driver";
  env.job_threads = kJobThreads + options.concurrent_jobs;
  env.manual_wall_clock = options.manual_clock;
  return env;
}

DriverOptions MakeDriverOptions(const ClusterRuntime::Options& options, WorkerSupply& supply) {
  DriverOptions driver;
  driver.tasks = options.tasks;
  driver.epoch = options.driver_epoch;
  driver.worker_timeout_micros = options.worker_timeout_micros;
  driver.repairs_states = true;
  driver.may_be_replaced = options.may_be_replaced;
  if (options.may_be_replaced) driver.application_id = options.spec.application_id;
  driver.supply = &supply;
  return driver;
}

}  // namespace

ClusterRuntime::ClusterRuntime(Options options, std::unique_ptr<WorkerLauncher> launcher,
                               FileSystem& fs)
    : options_(std::move(options)),
      env_(EnvOptions(options_), fs),
      transport_(env_),
      launcher_(std::move(launcher)),
      fleet_(env_, transport_, *launcher_, driver_,
             {.workers_max = options_.workers_max,
              .driver_epoch = options_.driver_epoch,
              .left_workers = options_.left_workers}),
      driver_(env_, fleet_, MakeDriverOptions(options_, fleet_)) {}

ClusterRuntime::~ClusterRuntime() { Stop(); }

absl::StatusOr<std::shared_ptr<ClusterRuntime>> ClusterRuntime::Start(
    Options options, std::unique_ptr<WorkerLauncher> launcher, FileSystem& fs) {
  const std::shared_ptr<ClusterRuntime> runtime(
      new ClusterRuntime(std::move(options), std::move(launcher), fs));
  RETURN_IF_ERROR(runtime->BringUp());
  return runtime;
}

absl::Status ClusterRuntime::BringUp() {
  GrpcDriverTransport::Options listen;
  listen.listen_host = options_.listen_host;
  listen.application_id = options_.spec.application_id;
  listen.driver_epoch = options_.driver_epoch;
  listen.security = options_.security;
  listen.metrics = options_.metrics.get();
  ASSIGN_OR_RETURN(listen.binary_digest, BinaryDigest());
  RETURN_IF_ERROR(transport_.Listen(listen, *this));
  WorkerSpec spec = options_.spec;
  spec.driver_address = HostPort{options_.listen_host, transport_.port()}.ToString();
  RETURN_IF_ERROR(launcher_->Start(spec, fleet_));
  return fleet_.BringUp(options_.workers);
}

std::shared_ptr<StreamingHandle> ClusterRuntime::NewStreaming() {
  // The handle posts to the env, so it keeps this alive.
  auto run = driver_.NewStreaming();
  if (run == nullptr) return nullptr;
  StreamingHandle* const handle = run.get();
  auto holder = std::make_shared<
      std::pair<std::shared_ptr<ClusterRuntime>, std::shared_ptr<StreamingHandle>>>(
      shared_from_this(), std::move(run));
  return std::shared_ptr<StreamingHandle>(std::move(holder), handle);
}

void ClusterRuntime::Stop() {
  driver_.Stop();
  fleet_.Stop();
  launcher_->Stop();
  env_.Stop();
  driver_.EnvStopped();
  transport_.Stop();
}

}  // namespace millrace::internal
