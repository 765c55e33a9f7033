// millrace-driver: the daemon that knows a cluster's nodes and applications.
#include <gflags/gflags.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <filesystem>
#include <future>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
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
#include "driver/daemon/artifact_service.h"
#include "driver/daemon/daemon_pages.h"
#include "driver/daemon/daemon_services.h"
#include "driver/daemon/driver_daemon.h"
#include "driver/daemon/local_run_host.h"
#include "driver/daemon/runner.h"
#include "glog/logging.h"

DEFINE_int32(port, 7077, "The port for executors, applications and millrace-submit; 0: any.");
DEFINE_int32(http_port, 8080, "The port of the web page, REST and metrics; 0: any.");
DEFINE_string(state_dir, "", "Where submissions, artifacts and logs are kept. Required.");
DEFINE_int64(artifact_bytes_max, int64_t{10} << 30, "How large the artifact store may get.");
DEFINE_bool(spread_out, true, "Spread an application over many nodes instead of filling few.");
DEFINE_int32(peer_timeout_ms, 60'000, "Silence after which an executor or application is lost.");
DEFINE_int32(application_grace_ms, 10'000,
             "How long workers wait for a driver whose connection broke.");
DEFINE_int32(worker_failures_max, 10,
             "Workers that may fail in a row before their application is given up.");
DEFINE_int32(default_cores, 0, "Cores of an application that sets no maximum; 0: all.");
DEFINE_int32(drivers_max, 100, "Drivers in cluster mode that may run at a time.");

namespace millrace {
namespace {

constexpr char kProgram[] = "millrace-driver";
constexpr int kMessageBytesMax = 16 << 20;

void UpdateGauges(MetricsRegistry& metrics, const proto::ListReply& state,
                  const ArtifactStore& artifacts) {
  double cores = 0;
  double cores_used = 0;
  for (const auto& executor : state.executors()) {
    cores += executor.cores();
    cores_used += executor.cores_used();
  }
  double running = 0;
  double workers = 0;
  for (const auto& application : state.applications()) {
    running += application.ended_ms() == 0 ? 1 : 0;
    workers += application.workers_size();
  }
  metrics.GetGauge("millrace_executors", "Executor daemons that are registered")
      ->Set(state.executors_size());
  metrics.GetGauge("millrace_cores", "Cores of all executors")->Set(cores);
  metrics.GetGauge("millrace_cores_used", "Cores that workers have")->Set(cores_used);
  metrics.GetGauge("millrace_applications_running", "Applications that have not ended")
      ->Set(running);
  metrics.GetGauge("millrace_workers", "Worker processes of all applications")->Set(workers);
  metrics.GetGauge("millrace_artifact_store_bytes", "Size of the artifact store")
      ->Set(static_cast<double>(artifacts.bytes_used()));
}

void AddPages(HttpServer& http, Env& env, const DriverDaemon& daemon, MetricsRegistry& metrics,
              const ArtifactStore& artifacts, const std::string& master_url) {
  using State = proto::ListReply;
  StatePages<State> pages(http, env, [&daemon] { return daemon.List(); });
  pages.Add("/healthz", kTextType, [](const State&) { return "ok\n"; });
  pages.Add("/metrics", kMetricsType, [&](const State& state) {
    UpdateGauges(metrics, state, artifacts);
    return metrics.RenderPrometheus();
  });
  pages.Add("/api/v1/applications", "application/json", ApplicationsJson);
  pages.Add("/json", "application/json", StateJson);
  pages.Add("/", "text/html; charset=utf-8",
            [master_url](const State& state) { return StateHtml(state, master_url); });
}

absl::Status Serve() {
  if (FLAGS_state_dir.empty()) {
    return absl::InvalidArgumentError("--state_dir=DIR is missing: where state is kept");
  }
  LocalFileSystem fs;
  const std::string state_dir = std::filesystem::absolute(FLAGS_state_dir).string();
  RETURN_IF_ERROR(fs.CreateDirs(state_dir));
  ASSIGN_OR_RETURN(const internal::Descriptor state_lock, LockDirectory(state_dir, kProgram));
  MetricsRegistry metrics;
  ASSIGN_OR_RETURN(const auto security, RpcSecurity::Load(SecurityFlags(), &metrics));
  RETURN_IF_ERROR(security->CheckListenHost(FLAGS_host));
  ASSIGN_OR_RETURN(const auto artifacts,
                   ArtifactStore::Open(fs, {.dir = state_dir + "/artifacts",
                                            .bytes_max = FLAGS_artifact_bytes_max,
                                            .now_ms = [] { return WallClockMicros() / 1000; }}));

  RealEnv env({.name = "driver_daemon"}, fs);
  SessionTable sessions;
  LocalRunHost host(fs, state_dir + "/runs",
                    std::filesystem::read_symlink("/proc/self/exe").string());
  Submissions::Options submission_options{.dir = state_dir + "/submissions",
                                          .running_max = FLAGS_drivers_max};
  for (const auto& [name, value] : SecurityFlags().ToEnvironment()) {
    submission_options.environment.push_back(absl::StrCat(name, "=", value));
  }
  Submissions submissions(env, host, *artifacts, std::move(submission_options));
  DriverDaemon daemon(env, sessions, submissions, *artifacts,
                      {.applications_dir = state_dir + "/applications",
                       .is_spread = FLAGS_spread_out,
                       .peer_timeout_micros = int64_t{FLAGS_peer_timeout_ms} * 1000,
                       .application_grace_micros = int64_t{FLAGS_application_grace_ms} * 1000,
                       .worker_failures_max = FLAGS_worker_failures_max,
                       .cores_default = FLAGS_default_cores});

  // Drivers are started with our address, which is known when the server runs; the core must be
  // ready before its first call. So the event loop waits for the port, and calls for the loop.
  std::promise<int> port_known;
  std::promise<absl::Status> recovered;
  env.Post([&] {
    const int port = port_known.get_future().get();
    if (port == 0) return;
    submissions.SetMasterUrl("millrace://" + PublicAddress(port));
    absl::Status status = submissions.Recover();
    if (status.ok()) status = daemon.Recover();
    recovered.set_value(std::move(status));
  });

  DriverDaemonServiceShell daemon_service(env, daemon, sessions, *security);
  ApplicationServiceShell application_service(env, daemon, sessions, *security);
  SubmitServiceShell submit_service(env, daemon, submissions, *security);
  ArtifactServiceShell artifact_service(fs, *artifacts, *security);
  LogServiceShell log_service(
      fs, *security, [&](const std::string& id) -> absl::StatusOr<std::string> {
        if (IsPlainId(id) && fs.Stat(host.SubmissionDir(id)).ok()) return host.SubmissionDir(id);
        return absl::NotFoundError(absl::StrCat("there are no logs of '", id.substr(0, 80),
                                                "': --list shows the submissions there are"));
      });
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(HostPort{FLAGS_host, FLAGS_port}.ToString(),
                           security->server_credentials(), &port);
  internal::LimitServer(builder);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.RegisterService(&daemon_service);
  builder.RegisterService(&application_service);
  builder.RegisterService(&submit_service);
  builder.RegisterService(&artifact_service);
  builder.RegisterService(&log_service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  port_known.set_value(server == nullptr ? 0 : port);
  // From here on the event loop uses what stands here, and there may be calls under way, which
  // would hold the server's end back: the process ends instead.
  if (server == nullptr) {
    EndDaemon(kProgram, absl::UnavailableError(
                            absl::StrCat("cannot listen on ", FLAGS_host, ":", FLAGS_port,
                                         ": is the port taken? --port=0 picks a free one")));
  }
  if (const absl::Status status = recovered.get_future().get(); !status.ok()) {
    EndDaemon(kProgram, status);
  }

  HttpServer http;
  AddPages(http, env, daemon, metrics, *artifacts, "millrace://" + PublicAddress(port));
  const absl::StatusOr<int> http_port = http.Start(FLAGS_host, FLAGS_http_port);
  if (!http_port.ok()) EndDaemon(kProgram, http_port.status());
  PrintReady(kProgram, port, *http_port);

  AwaitStopSignal();
  LOG(INFO) << "stops; applications go on and drivers in the cluster too";
  http.Stop();
  // What must not be lost is on the disk, as for a daemon that is killed. The process ends here,
  // and so do its connections all at once: closed one by one, those of executors would be losses
  // that applications are told of. And calls that wait for submissions would hold the server back.
  EndDaemon(kProgram, absl::OkStatus());
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == millrace::kRunnerArgument) {
    int lock_fd = -1;
    return absl::SimpleAtoi(argv[3], &lock_fd) ? millrace::RunAttempt(argv[2], lock_fd) : 2;
  }
  return millrace::RunDaemon(argc, argv, millrace::kProgram,
                             "The daemon that knows a cluster's nodes and applications.\n"
                             "  millrace-driver --port=7077 --http_port=8080 --state_dir=DIR",
                             [] { return millrace::Serve(); });
}
