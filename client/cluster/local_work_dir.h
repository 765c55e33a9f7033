// Where the workers of a local-cluster[...] keep their files.
#ifndef MILLRACE_CLIENT_CLUSTER_LOCAL_WORK_DIR_H_
#define MILLRACE_CLIENT_CLUSTER_LOCAL_WORK_DIR_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/fs/file_system.h"
#include "common/fs/posix_file.h"

namespace millrace::internal {

// A directory of this process's own, that nobody but its user can look into, and that goes with
// this object. A process that is killed leaves its directory behind; the next one that makes its
// own in the same place removes it. Each holds a lock on its directory for as long as it lives, so
// that this goes by no process number, which may be another process's by then.
//
// Threads: one at a time.
class LocalWorkDir {
 public:
  // `local_dir` is made if it is missing. `fs` is the local one and outlives the directory.
  static absl::StatusOr<std::unique_ptr<LocalWorkDir>> Make(const std::string& local_dir,
                                                            FileSystem& fs);
  ~LocalWorkDir();
  LocalWorkDir(const LocalWorkDir&) = delete;
  LocalWorkDir& operator=(const LocalWorkDir&) = delete;

  const std::string& path() const { return path_; }
  // "local-cluster-<process>-<count>": as no other directory in the same place.
  const std::string& id() const { return id_; }

 private:
  LocalWorkDir(std::string id, std::string path, Descriptor lock, FileSystem& fs);

  const std::string id_;
  const std::string path_;
  const Descriptor lock_;
  FileSystem& fs_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_LOCAL_WORK_DIR_H_
