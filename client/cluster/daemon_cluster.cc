#include "client/cluster/daemon_cluster.h"

#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "client/cluster/daemon_worker_launcher.h"
#include "client/local/program_flags.h"
#include "common/artifact/artifact_transfer.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/config/demand.h"
#include "common/config/keys.h"
#include "common/fs/path.h"
#include "common/rpc/rpc_limits.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

constexpr char kThisProgram[] = "/proc/self/exe";
constexpr int kWorkersMax = 10'000;  // More are refused by the daemon.

// The address of this machine under which packets leave for `peer`, so that what is there finds the
// way back.
absl::StatusOr<std::string> AddressTowards(const HostPort& peer) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(peer.host.c_str(), std::to_string(peer.port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::NotFoundError(
        absl::StrCat("millrace.master: the host '", peer.host, "': ", ::gai_strerror(error)));
  }
  const auto free_found = absl::MakeCleanup([found] { ::freeaddrinfo(found); });
  const int fd = ::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto close_fd = absl::MakeCleanup([fd] { ::close(fd); });
  sockaddr_storage own{};
  socklen_t own_size = sizeof(own);
  char host[NI_MAXHOST] = "";
  // It sends nothing.
  if (fd < 0 || ::connect(fd, found->ai_addr, found->ai_addrlen) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&own), own_size, host, sizeof(host), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
    return absl::UnavailableError(absl::StrCat("millrace.master: no way to '", peer.host,
                                               "'; millrace.driver.host says under which "
                                               "address workers reach this machine"));
  }
  return std::string(host);
}

// Settings before what a daemon has put into the environment.
RpcSecurityOptions SecurityOf(const Conf& conf) {
  RpcSecurityOptions options = RpcSecurityOptions::FromEnvironment();
  const auto overlay = [&](const OptionalStringKey& key, std::string& value) {
    if (const auto set = conf.GetString(key)) value = *set;
  };
  overlay(keys::kAuthenticateSecretFile, options.auth_secret_file);
  overlay(keys::kTlsCert, options.tls_cert);
  overlay(keys::kTlsKey, options.tls_key);
  overlay(keys::kTlsCa, options.tls_ca);
  return options;
}

// This program and its files, and what the daemon is told of them.
absl::StatusOr<std::vector<ArtifactFile>> DescribeThis(const Conf& conf, FileSystem& fs,
                                                       proto::Program& program) {
  const std::vector<std::string> argv = WorkerArguments(conf);
  program.set_name(std::string(BaseName(argv.front())));
  for (size_t i = 1; i < argv.size(); ++i) program.add_argv(argv[i]);
  auto files =
      DescribeProgram(fs, kThisProgram, conf.GetString(keys::kFiles).value_or(""), program);
  return files.ok() ? files : AnnotateStatus(files.status(), "millrace.files");
}

absl::StatusOr<proto::RegisterApplication> RegistrationOf(const Conf& conf) {
  proto::RegisterApplication registration;
  registration.set_name(conf.GetString(keys::kAppName).value_or(""));
  if (const char* submission = std::getenv("MILLRACE_SUBMISSION_ID")) {
    registration.set_submission_id(submission);
  }
  ASSIGN_OR_RETURN(*registration.mutable_demand(), DemandOf(conf));
  ASSIGN_OR_RETURN(const bool takes_all, TakesAllWorkers(conf));
  registration.set_takes_all(takes_all);
  ASSIGN_OR_RETURN(const int64_t log_bytes, conf.GetBytes(keys::kExecutorLogsRollingMaxSize));
  ASSIGN_OR_RETURN(const int64_t log_files,
                   conf.GetInt(keys::kExecutorLogsRollingMaxRetainedFiles));
  registration.mutable_logs()->set_bytes_max(log_bytes);
  registration.mutable_logs()->set_files_max(static_cast<int32_t>(log_files));
  return registration;
}

// An application without workers would wait for ever.
[[noreturn]] void EndProcess(const absl::Status& status) {
  std::fflush(stdout);
  std::fprintf(stderr, "millrace: the driver daemon has given this application up: %s\n",
               std::string(status.message()).c_str());
  google::FlushLogFiles(google::GLOG_INFO);
  std::_Exit(1);
}

absl::StatusOr<std::unique_ptr<DaemonWorkerLauncher>> RegisterWithOne(
    const HostPort& daemon, const std::shared_ptr<const RpcSecurity>& security,
    const std::vector<ArtifactFile>& files, const proto::RegisterApplication& registration,
    FileSystem& fs) {
  grpc::ChannelArguments arguments;
  LimitChannel(arguments);
  // A daemon that is away is tried again soon; one that is busy or far has two seconds.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  const auto channel =
      grpc::CreateCustomChannel(daemon.ToString(), security->channel_credentials(), arguments);
  absl::Status status = UploadArtifacts(fs, channel, *security, files, [](int64_t, int64_t) {});
  if (absl::IsUnavailable(status)) {
    return absl::UnavailableError(absl::StrCat("millrace.master: no driver daemon answers at ",
                                               daemon.ToString(), " (", status.message(),
                                               "): does millrace-driver run there?"));
  }
  RETURN_IF_ERROR(status);
  return DaemonWorkerLauncher::Register(
      {.security = security, .registration = registration, .on_given_up = EndProcess}, channel);
}

}  // namespace

absl::StatusOr<std::shared_ptr<Runtime>> StartDaemonCluster(
    const ClusterMaster& master, const Conf& conf, const std::optional<EarlierDriver>& earlier,
    ClusterRuntime::Options options, FileSystem& fs) {
  if (ProgramArguments().empty()) {
    return absl::FailedPreconditionError(
        "millrace.master: in a cluster this program is started again for each worker, so its "
        "main() must begin with millrace::Init(&argc, &argv)");
  }
  ASSIGN_OR_RETURN(options.security, RpcSecurity::Load(SecurityOf(conf), options.metrics.get()));
  ASSIGN_OR_RETURN(proto::RegisterApplication registration, RegistrationOf(conf));
  ASSIGN_OR_RETURN(const std::vector<ArtifactFile> files,
                   DescribeThis(conf, fs, *registration.mutable_program()));
  if (earlier.has_value()) {
    registration.set_may_be_replaced(true);
    registration.set_resumes_app_id(earlier->application_id);
  }
  if (const auto host = conf.GetString(keys::kDriverHost)) {
    options.listen_host = *host;
  } else {
    ASSIGN_OR_RETURN(options.listen_host, AddressTowards(master.daemons.front()));
  }
  RETURN_IF_ERROR(options.security->CheckListenHost(options.listen_host));
  absl::StatusOr<std::unique_ptr<DaemonWorkerLauncher>> launcher =
      absl::UnavailableError("millrace.master names no daemon");
  for (const HostPort& daemon : master.daemons) {
    launcher = RegisterWithOne(daemon, options.security, files, registration, fs);
    if (!absl::IsUnavailable(launcher.status())) break;
  }
  RETURN_IF_ERROR(launcher.status());
  const std::vector<int>& possible = (*launcher)->possible_cores();
  options.left_workers = (*launcher)->left_workers();
  const int left = static_cast<int>(options.left_workers.size());
  options.workers_max = kWorkersMax;
  ASSIGN_OR_RETURN(const int workers,
                   WorkersAtFirst(conf, left + static_cast<int>(possible.size()), kWorkersMax));
  options.workers = std::max(0, workers - left);
  options.driver_epoch = (*launcher)->epoch();
  options.may_be_replaced = registration.may_be_replaced() || !registration.submission_id().empty();
  options.spec.application_id = (*launcher)->application_id();
  // Of workers that there is no room for yet.
  options.spec.cores = possible.empty() ? std::max(registration.demand().cores_per_worker(), 1)
                                        : *std::min_element(possible.begin(), possible.end());
  options.spec.memory_mb = registration.demand().memory_mb_per_worker();
  return ClusterRuntime::Start(std::move(options), *std::move(launcher), fs);
}

}  // namespace millrace::internal
