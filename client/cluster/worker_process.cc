#include "client/cluster/worker_process.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cluster/binary_digest.h"
#include "client/local/program_flags.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/concurrent/watched.h"
#include "common/config/keys.h"
#include "common/config/master_url.h"
#include "common/env/real_env.h"
#include "common/fs/file_util.h"
#include "common/fs/local_file_system.h"
#include "common/fs/path.h"
#include "common/rpc/grpc_peer_server.h"
#include "common/rpc/grpc_peer_transport.h"
#include "common/rpc/grpc_worker_transport.h"
#include "common/rpc/rpc_limits.h"
#include "common/time/system_clock.h"
#include "executor/service/worker_node.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How long a worker looks for a driver that it has lost; where the application may have another
// one, for that, which starts later the more often its driver fails.
constexpr milliseconds kDriverGrace{10'000};
constexpr milliseconds kNextDriverGrace{30'000};
constexpr milliseconds kReconnectPause{100};
constexpr size_t kAddressBytesMax = 1000;
// For what was sent to leave, and then for tasks and receivers to end.
constexpr milliseconds kCloseTimeout{1'000};
constexpr std::chrono::seconds kExitGrace{3};
constexpr int64_t kHeartbeatMicros = 1'000'000;
// A message, and what is around the status in it.
constexpr size_t kStatusBytesMax = kMessageBytesMax - 4096;
constexpr int kCoresMax = 1 << 16;
constexpr int64_t kMemoryMbMax = int64_t{1} << 30;

absl::StatusOr<std::string> ReadVariable(const char* name) {
  const char* const value = std::getenv(name);
  if (value != nullptr && *value != '\0') return std::string(value);
  return absl::InvalidArgumentError(absl::StrCat("the environment variable ", name, " is not set"));
}

absl::StatusOr<int64_t> ReadNumber(const char* name, int64_t max) {
  ASSIGN_OR_RETURN(const std::string text, ReadVariable(name));
  int64_t number = 0;
  if (absl::SimpleAtoi(text, &number) && number >= 1 && number <= max) return number;
  return absl::InvalidArgumentError(
      absl::StrCat("the environment variable ", name, " is '", text, "', not 1 to ", max));
}

RealEnv::Options EnvOptions(const WorkerSettings& settings) {
  RealEnv::Options env;
  env.name = "worker";
  env.task_threads = settings.cores;
  env.job_threads = 1;
  return env;
}

// Of the settings that were given on the command line, which all processes share.
size_t MemoryBytes(const WorkerSettings& settings) {
  const double fraction = ProgramConf().GetDouble(keys::kMemoryFraction).value_or(0.6);
  return static_cast<size_t>(static_cast<double>(settings.memory_mb << 20) * fraction);
}

CompressionCodec ShuffleCodec() {
  const Conf& conf = ProgramConf();
  if (!conf.GetBool(keys::kShuffleCompress).value_or(true)) return CompressionCodec::kNone;
  return conf.GetString(keys::kCompressionCodec).value_or("lz4") == "zstd" ? CompressionCodec::kZstd
                                                                           : CompressionCodec::kLz4;
}

// A worker with its connections.
class WorkerProcess final : public GrpcWorkerTransport::Owner {
 public:
  WorkerProcess(const WorkerSettings& settings, std::string binary_digest,
                const std::shared_ptr<const RpcSecurity>& security)
      : settings_(settings),
        binary_digest_(std::move(binary_digest)),
        security_(security),
        env_(EnvOptions(settings), fs_),
        peers_(security, settings.application_id),
        transport_(env_, security, *this),
        node_({.worker_id = settings.worker_id,
               .host = settings.host,
               .memory_bytes = MemoryBytes(settings),
               .spill_path = JoinPath(settings.work_dir, "spill"),
               .shuffle_codec = ShuffleCodec(),
               .nanos = MonotonicNanos},
              {env_, fs_, transport_, peers_}),
        peer_server_(security, {settings.application_id, settings.worker_id},
                     [this](proto::PeerRequest request, const GrpcPeerServer::Reply& reply) {
                       node_.HandlePeer(std::move(request), reply);
                     }) {}

  // OK: the driver says that the application has ended.
  absl::Status Serve() {
    RETURN_IF_ERROR(security_->CheckListenHost(settings_.host));
    RETURN_IF_ERROR(peer_server_.Listen(settings_.host));
    node_.MakeCore(CoreOptions());
    is_made_ = true;
    absl::Status lost = absl::UnavailableError("it has not been reached yet");
    for (;;) {
      RETURN_IF_ERROR(Connect(lost));
      env_.Post([this] { node_.Connected(); });
      const Progress progress = progress_.WaitUntil(
          [](const Progress& now) { return now.is_over || now.lost.has_value(); }, milliseconds(-1),
          [](const Progress& now) { return now; });
      if (progress.is_over) return absl::OkStatus();
      if (!absl::IsUnavailable(*progress.lost)) return *progress.lost;
      lost = *progress.lost;
      progress_.Update([](Progress& now) { now.lost.reset(); });
    }
  }

  // Waits for running tasks.
  void Stop() {
    if (!is_made_) return;
    env_.Post([this] { node_.core().Stop(); });
    transport_.Close(kCloseTimeout);
    peer_server_.Stop();
    peers_.Stop();
    env_.Stop();
  }

  // GrpcWorkerTransport::Owner
  void OnMessage(proto::ToWorker message) override {
    if (!message.has_shutdown()) return node_.Handle(std::move(message));
    progress_.Update([](Progress& now) { now.is_over = true; });
  }
  void OnDisconnected(const absl::Status& reason) override {
    node_.Disconnected();
    progress_.Update([&](Progress& now) { now.lost = reason; });
  }

 private:
  struct Progress {
    bool is_over = false;
    std::optional<absl::Status> lost;
  };

  WorkerOptions CoreOptions() const {
    WorkerOptions options;
    options.application_id = settings_.application_id;
    options.peer_address = HostPort{settings_.host, peer_server_.port()}.ToString();
    options.binary_digest = binary_digest_;
    options.task_slots = settings_.cores;
    options.heartbeat_interval_micros = kHeartbeatMicros;
    options.status_bytes_max = kStatusBytesMax;
    return options;
  }

  // The application may have another driver by now, in another place.
  std::string DriverAddress() {
    if (settings_.driver_file.empty()) return settings_.driver_address;
    return ReadWholeFile(fs_, settings_.driver_file, kAddressBytesMax)
        .value_or(settings_.driver_address);
  }

  absl::Status Connect(const absl::Status& lost) {
    const milliseconds grace = settings_.driver_file.empty() ? kDriverGrace : kNextDriverGrace;
    const auto deadline = Clock::now() + grace;
    for (;;) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
      if (left.count() <= 0) break;
      const std::string address = DriverAddress();
      const auto is_there = [&] { return DriverAddress() == address; };
      if (transport_.Connect(address, left, is_there).ok()) return absl::OkStatus();
      std::this_thread::sleep_for(kReconnectPause);
    }
    return absl::UnavailableError(absl::StrCat("the driver at ", DriverAddress(),
                                               " has been out of reach for ", grace.count() / 1000,
                                               " s: ", lost.message()));
  }

  const WorkerSettings settings_;
  const std::string binary_digest_;
  const std::shared_ptr<const RpcSecurity> security_;
  LocalFileSystem fs_;
  // The env outlives all but the file system: its threads end with Stop, before anything goes.
  RealEnv env_;
  GrpcPeerTransport peers_;
  GrpcWorkerTransport transport_;
  WorkerNode node_;
  GrpcPeerServer peer_server_;
  bool is_made_ = false;  // The node's core, once the port of the peer server is known.
  Watched<Progress> progress_;
};

absl::StatusOr<int> Run() {
  ASSIGN_OR_RETURN(const WorkerSettings settings, ReadWorkerSettings());
  ASSIGN_OR_RETURN(const std::shared_ptr<const RpcSecurity> security,
                   RpcSecurity::Load(settings.security, /*metrics=*/nullptr));
  ASSIGN_OR_RETURN(std::string digest, BinaryDigest());
  WorkerProcess process(settings, std::move(digest), security);
  const absl::Status served = process.Serve();
  if (!served.ok()) {
    std::fprintf(stderr, "worker %lld ends: %s\n", static_cast<long long>(settings.worker_id),
                 std::string(served.message()).c_str());
  }
  const int exit_code = served.ok() ? 0 : 1;
  // User code that does not end must not keep the process.
  std::thread([exit_code] {
    std::this_thread::sleep_for(kExitGrace);
    _exit(exit_code);
  }).detach();
  process.Stop();
  return exit_code;
}

}  // namespace

bool IsWorkerProcess() {
  const char* const role = std::getenv("MILLRACE_ROLE");
  return role != nullptr && std::string(role) == "worker";
}

absl::StatusOr<WorkerSettings> ReadWorkerSettings() {
  WorkerSettings settings;
  ASSIGN_OR_RETURN(settings.driver_address, ReadVariable("MILLRACE_DRIVER_ADDRESS"));
  ASSIGN_OR_RETURN(settings.application_id, ReadVariable("MILLRACE_APP_ID"));
  ASSIGN_OR_RETURN(settings.worker_id, ReadNumber("MILLRACE_WORKER_ID", INT64_MAX));
  ASSIGN_OR_RETURN(const int64_t cores, ReadNumber("MILLRACE_WORKER_CORES", kCoresMax));
  settings.cores = static_cast<int>(cores);
  ASSIGN_OR_RETURN(settings.memory_mb, ReadNumber("MILLRACE_WORKER_MEMORY_MB", kMemoryMbMax));
  ASSIGN_OR_RETURN(settings.host, ReadVariable("MILLRACE_WORKER_HOST"));
  ASSIGN_OR_RETURN(settings.work_dir, ReadVariable("MILLRACE_WORK_DIR"));
  settings.driver_file = ReadVariable("MILLRACE_DRIVER_FILE").value_or("");
  settings.security = RpcSecurityOptions::FromEnvironment();
  return settings;
}

int RunWorkerProcess() {
  const absl::StatusOr<int> exit_code = Run();
  if (exit_code.ok()) return *exit_code;
  std::fprintf(stderr, "this process was started as a worker: %s\n",
               std::string(exit_code.status().message()).c_str());
  return 2;
}

}  // namespace millrace::internal
