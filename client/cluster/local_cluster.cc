#include "client/cluster/local_cluster.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "client/cluster/local_work_dir.h"
#include "client/cluster/local_worker_launcher.h"
#include "client/local/program_flags.h"
#include "common/base/status_macros.h"
#include "common/config/demand.h"
#include "common/fs/file_system.h"
#include "common/fs/path.h"
#include "common/fs/posix_file.h"
#include "common/rpc/rpc_security.h"

namespace millrace::internal {
namespace {

constexpr size_t kSecretBytes = 32;

// Readable by this user alone, like the directory.
absl::Status WriteSecret(const std::string& path) {
  std::string secret(kSecretBytes, '\0');
  if (getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size())) {
    return ErrnoStatus("make a secret for", path);
  }
  secret = absl::BytesToHexString(secret);
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file.valid()) return ErrnoStatus("open for writing", path);
  const ssize_t written = write(file.get(), secret.data(), secret.size());
  const bool is_whole = written == static_cast<ssize_t>(secret.size());
  return is_whole && file.Close() == 0 ? absl::OkStatus() : ErrnoStatus("write", path);
}

}  // namespace

absl::StatusOr<std::shared_ptr<Runtime>> StartLocalCluster(const LocalClusterMaster& master,
                                                           const Conf& conf,
                                                           ClusterRuntime::Options options,
                                                           const std::string& local_dir,
                                                           FileSystem& fs) {
  if (ProgramArguments().empty()) {
    return absl::FailedPreconditionError(
        "millrace.master: local-cluster[...] starts this program again for each worker, so its "
        "main() must begin with millrace::Init(&argc, &argv)");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<LocalWorkDir> work_dir, LocalWorkDir::Make(local_dir, fs));
  options.spec.application_id = work_dir->id();
  options.workers_max = master.workers;
  ASSIGN_OR_RETURN(options.workers, WorkersAtFirst(conf, master.workers, master.workers));
  options.spec.cores = master.cores_per_worker;
  options.spec.memory_mb = master.memory_mb_per_worker;
  options.spec.auth_secret_file = JoinPath(work_dir->path(), "secret");
  RETURN_IF_ERROR(WriteSecret(options.spec.auth_secret_file));
  RpcSecurityOptions security;
  security.auth_secret_file = options.spec.auth_secret_file;
  ASSIGN_OR_RETURN(options.security, RpcSecurity::Load(security, options.metrics.get()));
  auto launcher = std::make_unique<LocalWorkerLauncher>(
      LocalWorkerLauncher::Options{.argv = WorkerArguments(conf), .work_dir = std::move(work_dir)});
  return ClusterRuntime::Start(std::move(options), std::move(launcher), fs);
}

}  // namespace millrace::internal
