// millrace-executor: the daemon that runs workers on a node.
#include <gflags/gflags.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/artifact/artifact_store.h"
#include "common/artifact/artifact_transfer.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/config/master_url.h"
#include "common/daemon/daemon_main.h"
#include "common/daemon/state_pages.h"
#include "common/env/real_env.h"
#include "common/fs/local_file_system.h"
#include "common/http/http_server.h"
#include "common/metrics/metrics_registry.h"
#include "common/process/stop_signal.h"
#include "common/rpc/log_service.h"
#include "common/rpc/rpc_limits.h"
#include "common/rpc/rpc_security.h"
#include "common/time/system_clock.h"
#include "executor/daemon/executor_daemon.h"
#include "executor/daemon/grpc_driver_link.h"
#include "executor/daemon/process_worker_host.h"
#include "glog/logging.h"

DEFINE_string(driver, "", "The driver daemon: host:port. Required.");
DEFINE_int32(port, 0, "The port for gRPC; 0: any.");
DEFINE_int32(http_port, 8081, "The port of the web page and metrics; 0: any.");
DEFINE_int32(cores, 0, "Cores that workers may have; 0: all of the machine.");
DEFINE_int64(memory_mb, 0, "Memory that workers may have; 0: the machine's less 1 GiB.");
DEFINE_string(work_dir, "", "Where workers run and logs are kept. Required.");
DEFINE_int64(artifact_bytes_max, int64_t{10} << 30, "How large the cache of programs may get.");
DEFINE_int32(worker_logs_max, 100, "Applications whose logs are kept after their end.");

namespace millrace {
namespace {

constexpr char kProgram[] = "millrace-executor";

int Cores() {
  if (FLAGS_cores > 0) return FLAGS_cores;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int64_t MemoryMb() {
  if (FLAGS_memory_mb > 0) return FLAGS_memory_mb;
  const int64_t machine_mb = (int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE)) >> 20;
  return std::max<int64_t>(machine_mb - 1024, 256);
}

std::string NewExecutorId() {
  std::random_device random;
  return absl::StrCat(PublicHost(), "-", ::getpid(), "-", absl::Hex(random(), absl::kZeroPad8));
}

// What the core says of itself.
struct State {
  bool is_registered = false;
  std::vector<ExecutorDaemon::WorkerStatus> workers;
};

std::string StateHtml(const State& state) {
  std::string html = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Millrace executor"
      "</title></head><body>\n<h1>Executor of ",
      EscapeHtml(FLAGS_driver), "</h1>\n<p>", state.is_registered ? "registered" : "not registered",
      "</p>\n<ul>\n");
  for (const auto& worker : state.workers) {
    absl::StrAppend(&html, "<li>worker ", worker.worker.worker_id(), " of ",
                    EscapeHtml(worker.worker.app_id()), ": ", worker.worker.cores(), " cores, ",
                    worker.worker.memory_mb(), " MiB", worker.is_ending ? ", ending" : "",
                    "</li>\n");
  }
  return html + "</ul></body></html>\n";
}

void UpdateGauges(MetricsRegistry& metrics, const State& state) {
  metrics.GetGauge("millrace_executor_registered", "1: the driver daemon knows this executor")
      ->Set(state.is_registered ? 1 : 0);
  metrics.GetGauge("millrace_executor_workers", "Worker processes")
      ->Set(static_cast<double>(state.workers.size()));
}

void AddPages(HttpServer& http, Env& env, MetricsRegistry& metrics, std::function<State()> state) {
  StatePages<State> pages(http, env, std::move(state));
  pages.Add("/healthz", kTextType, [](const State&) { return "ok\n"; });
  pages.Add("/metrics", kMetricsType, [&metrics](const State& now) {
    UpdateGauges(metrics, now);
    return metrics.RenderPrometheus();
  });
  pages.Add("/", "text/html; charset=utf-8", StateHtml);
}

absl::Status Serve() {
  if (FLAGS_driver.empty() || FLAGS_work_dir.empty()) {
    return absl::InvalidArgumentError("--driver=host:port and --work_dir=DIR are required");
  }
  if (const auto driver = ParseHostPort(FLAGS_driver); !driver.ok()) {
    return AnnotateStatus(driver.status(), "--driver");
  }
  LocalFileSystem fs;
  const std::string work_dir = std::filesystem::absolute(FLAGS_work_dir).string();
  RETURN_IF_ERROR(fs.CreateDirs(work_dir));
  ASSIGN_OR_RETURN(const internal::Descriptor work_lock, LockDirectory(work_dir, kProgram));
  MetricsRegistry metrics;
  ASSIGN_OR_RETURN(const auto security, RpcSecurity::Load(SecurityFlags(), &metrics));
  RETURN_IF_ERROR(security->CheckListenHost(FLAGS_host));
  ASSIGN_OR_RETURN(const auto artifacts,
                   ArtifactStore::Open(fs, {.dir = work_dir + "/artifacts",
                                            .bytes_max = FLAGS_artifact_bytes_max,
                                            .now_ms = [] { return WallClockMicros() / 1000; }}));
  grpc::ChannelArguments arguments;
  internal::LimitChannel(arguments);
  // A driver daemon that is away is tried again soon; one that is busy or far has two seconds.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  const auto channel =
      grpc::CreateCustomChannel(FLAGS_driver, security->channel_credentials(), arguments);

  RealEnv env({.name = "executor_daemon"}, fs);
  ProcessWorkerHost workers(env, fs,
                            {.dir = work_dir + "/applications",
                             .host = PublicHost(),
                             .fetch =
                                 [&](const std::string& sha256) {
                                   return FetchArtifact(channel, *security, sha256, *artifacts);
                                 },
                             .environment = SecurityFlags().ToEnvironment(),
                             .logs_max = FLAGS_worker_logs_max});
  RETURN_IF_ERROR(workers.Recover());

  // Of "application/worker".
  LogServiceShell log_service(
      fs, *security, [&](const std::string& id) -> absl::StatusOr<std::string> {
        const std::vector<std::string> parts = absl::StrSplit(id, '/');
        int64_t worker_id = 0;
        if (parts.size() == 2 && IsPlainId(parts[0]) && absl::SimpleAtoi(parts[1], &worker_id)) {
          std::string dir = workers.WorkerDir(parts[0], worker_id);
          if (fs.Stat(dir).ok()) return dir;
        }
        return absl::NotFoundError(
            absl::StrCat("there are no logs of the worker '", id.substr(0, 80), "' here"));
      });
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(HostPort{FLAGS_host, FLAGS_port}.ToString(),
                           security->server_credentials(), &port);
  internal::LimitServer(builder);
  builder.RegisterService(&log_service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", FLAGS_host, ":", FLAGS_port,
                                               ": is the port taken? --port=0 picks a free one"));
  }

  HttpServer http;
  GrpcDriverLink link(env, channel, *security);
  ExecutorDaemon::Options options;
  options.on_refused = [](const absl::Status& status) {
    EndDaemon(kProgram, AnnotateStatus(status, "the driver daemon refuses this executor"));
  };
  proto::RegisterExecutor& registration = options.registration;
  registration.set_executor_id(NewExecutorId());
  registration.set_host(PublicHost());
  registration.set_cores(Cores());
  registration.set_memory_mb(MemoryMb());
  // The registration has the port of the pages, so that the core is made after they can be asked
  // for.
  std::promise<const ExecutorDaemon*> made;
  AddPages(http, env, metrics, [core = made.get_future().share()] {
    const ExecutorDaemon& daemon = *core.get();
    return State{.is_registered = daemon.is_registered(), .workers = daemon.workers()};
  });
  ASSIGN_OR_RETURN(const int http_port, http.Start(FLAGS_host, FLAGS_http_port));
  registration.set_grpc_address(PublicAddress(port));
  registration.set_http_address(PublicAddress(http_port));
  ExecutorDaemon daemon(env, link, workers, std::move(options));
  env.Post([&] { daemon.Start(); });
  made.set_value(&daemon);
  PrintReady(kProgram, port, http_port);

  AwaitStopSignal();
  LOG(INFO) << "stops, and its workers with it";
  http.Stop();
  // Workers die with the threads that have started them.
  EndDaemon(kProgram, absl::OkStatus());
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  return millrace::RunDaemon(
      argc, argv, millrace::kProgram,
      "The daemon that runs workers on a node.\n"
      "  millrace-executor --driver=host:7077 --cores=N --memory_mb=N --work_dir=DIR "
      "--http_port=8081",
      [] { return millrace::Serve(); });
}
