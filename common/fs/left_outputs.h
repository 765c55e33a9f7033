// What writers that have died have left of outputs that they had not named yet.
#ifndef MILLRACE_COMMON_FS_LEFT_OUTPUTS_H_
#define MILLRACE_COMMON_FS_LEFT_OUTPUTS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/concurrent/waiting_lock.h"
#include "common/fs/file_system.h"

namespace millrace {

// The staging directories of AtomicOutput that other writers of an output have left. Each directory
// of outputs is looked through once, when it is first asked for, so what its owner begins there
// after asking is never among them.
//
// One that only seemed to be dead is not spoiled: its staging directory loses its name before it
// loses its files, so it publishes all of it or fails.
//
// Threads: any.
class LeftOutputs {
 public:
  // `fs` outlives this.
  explicit LeftOutputs(FileSystem& fs) : fs_(fs) {}

  // Those of the output at `path`. To be called before each AtomicOutput::Begin in its directory.
  absl::Status Remove(const std::string& path);

 private:
  // Staging directories by the names that they were to get.
  using Left = std::multimap<std::string, std::string>;

  absl::StatusOr<Left> Look(const std::string& directory);

  FileSystem& fs_;
  WaitingLock lock_;                  // Guards what is below.
  std::map<std::string, Left> left_;  // By directory.
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_FS_LEFT_OUTPUTS_H_
