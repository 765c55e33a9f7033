// Drivers as processes of this machine.
#ifndef MILLRACE_DRIVER_DAEMON_LOCAL_RUN_HOST_H_
#define MILLRACE_DRIVER_DAEMON_LOCAL_RUN_HOST_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/fs/file_system.h"
#include "driver/daemon/run_host.h"

namespace millrace {

// Each attempt has a runner, which holds the lock of the attempt's directory while it lives. So
// whether it runs is asked of the lock, by whatever process of the daemon: process numbers are used
// again, locks are not.
class LocalRunHost : public RunHost {
 public:
  // `dir` is the daemon's alone; `runner_program` becomes a runner with kRunnerArgument.
  LocalRunHost(FileSystem& fs, std::string dir, std::string runner_program);

  absl::Status Start(const RunId& run, const proto::RunRequest& request,
                     const std::vector<std::pair<std::string, std::string>>& files) override;
  std::optional<proto::ProcessExit> Poll(const RunId& run) override;
  bool RequestEnd(const RunId& run) override;
  void Forget(const std::string& submission_id) override;

  std::string SubmissionDir(const std::string& submission_id) const;

 private:
  std::string DirOf(const RunId& run) const;
  static bool IsLocked(const std::string& attempt_dir);

  FileSystem& fs_;
  const std::string dir_;
  const std::string runner_program_;
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_LOCAL_RUN_HOST_H_
