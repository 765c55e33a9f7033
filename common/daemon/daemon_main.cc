#include "common/daemon/daemon_main.h"

#include <fcntl.h>
#include <gflags/gflags.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/master_url.h"
#include "common/process/stop_signal.h"
#include "glog/logging.h"

DEFINE_string(host, "127.0.0.1", "The address to listen on; 0.0.0.0: all of the machine's.");
DEFINE_string(public_host, "",
              "The name under which others reach this machine; that of --host when not set.");
DEFINE_string(auth_secret_file, "", "The file with the secret that the cluster's processes share.");
DEFINE_string(tls_cert, "", "Certificates of this machine for mutual TLS (PEM).");
DEFINE_string(tls_key, "", "The key of --tls_cert (PEM).");
DEFINE_string(tls_ca, "", "The certificates by which peers' are checked (PEM).");
DEFINE_bool(insecure, false, "Listen beyond this machine without a secret.");

namespace millrace {

namespace {

std::string Absolute(const std::string& path) {
  return path.empty() ? "" : std::filesystem::absolute(path).string();
}

// gflags' own help shows the flags of every library.
bool AsksForHelp(int argc, char** argv) {
  return std::any_of(argv + std::min(1, argc), argv + argc, [](std::string_view argument) {
    return argument == "--help" || argument == "-help" || argument == "-h" ||
           argument == "--helpshort" || argument == "-helpshort";
  });
}

void PrintHelp(const std::string& program, const std::string& usage) {
  std::vector<gflags::CommandLineFlagInfo> flags;
  gflags::GetAllFlags(&flags);
  std::printf("%s: %s\n\n", program.c_str(), usage.c_str());
  for (const gflags::CommandLineFlagInfo& flag : flags) {
    const bool is_ours = std::string_view(flag.filename).ends_with("_main.cc");
    if (is_ours) std::fputs(gflags::DescribeOneFlag(flag).c_str(), stdout);
  }
  std::printf("    --flagfile (a file with more of these, one a line)\n");
}

}  // namespace

RpcSecurityOptions SecurityFlags() {
  return {.auth_secret_file = Absolute(FLAGS_auth_secret_file),
          .tls_cert = Absolute(FLAGS_tls_cert),
          .tls_key = Absolute(FLAGS_tls_key),
          .tls_ca = Absolute(FLAGS_tls_ca),
          .insecure = FLAGS_insecure};
}

std::string PublicHost() {
  if (!FLAGS_public_host.empty()) return FLAGS_public_host;
  if (FLAGS_host != "0.0.0.0" && FLAGS_host != "::") return FLAGS_host;
  char name[256] = "";
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

std::string PublicAddress(int port) { return HostPort{PublicHost(), port}.ToString(); }

absl::StatusOr<internal::Descriptor> LockDirectory(const std::string& directory,
                                                   const std::string& program) {
  const std::string path = directory + "/lock";
  internal::Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return internal::ErrnoStatus("open", path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("another ", program, " uses '", directory, "'"));
  }
  return lock;
}

void PrintReady(const std::string& program, int grpc_port, int http_port) {
  std::printf("%s ready: grpc=%s http=%s\n", program.c_str(), PublicAddress(grpc_port).c_str(),
              PublicAddress(http_port).c_str());
  std::fflush(stdout);
}

void EndDaemon(const std::string& program, const absl::Status& status) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), std::string(status.message()).c_str());
  }
  google::FlushLogFiles(google::GLOG_INFO);
  ::_exit(status.ok() ? 0 : 1);
}

int RunDaemon(int argc, char** argv, const std::string& program, const std::string& usage,
              absl::FunctionRef<absl::Status()> serve) {
  if (AsksForHelp(argc, argv)) {
    PrintHelp(program, usage);
    return 0;
  }
  gflags::SetUsageMessage(usage);
  gflags::SetVersionString(MILLRACE_VERSION);
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  if (argc > 1) {
    std::fprintf(stderr, "%s: '%s' is no flag; --help shows them\n", program.c_str(), argv[1]);
    return 2;
  }
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(argv[0]);
  BlockStopSignals();
  EndDaemon(program, serve());
}

}  // namespace millrace
