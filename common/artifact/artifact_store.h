// The files of applications, by what they hold.
#ifndef MILLRACE_COMMON_ARTIFACT_ARTIFACT_STORE_H_
#define MILLRACE_COMMON_ARTIFACT_ARTIFACT_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/crypto/sha256.h"
#include "common/fs/file_system.h"

namespace millrace {

// Each file of the directory is named by the SHA-256 of what it holds, so none is kept twice, and
// nothing but such a name ever becomes a path. When room is needed, the files that nobody has used
// for longest go, but neither those in use nor those of the last ten minutes.
//
// Threads: any.
class ArtifactStore {
 public:
  struct Options {
    std::string dir;
    int64_t bytes_max = 0;
    std::function<int64_t()> now_ms;
    // Of a file that may be a program; the default is that of files of this machine.
    std::function<absl::Status(const std::string& path)> make_executable = MakeExecutable;
  };
  static constexpr int64_t kFreshMs = 10 * 60 * 1000;

  // Takes over what the directory holds; half-written files are deleted.
  static absl::StatusOr<std::unique_ptr<ArtifactStore>> Open(FileSystem& fs, Options options);

  // A file that is being written. It is deleted unless Commit comes.
  class Upload {
   public:
    ~Upload();
    // InvalidArgument: more than was announced.
    absl::Status Append(std::string_view bytes);
    // OK: the file is there and on the disk. InvalidArgument: it is not what was announced.
    absl::Status Commit();

   private:
    friend class ArtifactStore;
    Upload(ArtifactStore& store, std::string sha256, int64_t size_bytes)
        : store_(store), sha256_(std::move(sha256)), size_bytes_(size_bytes) {}

    ArtifactStore& store_;
    const std::string sha256_;
    const int64_t size_bytes_;
    std::string path_;
    std::unique_ptr<WritableFile> file_;
    Sha256 digest_;
  };

  // InvalidArgument: no digest, or a size below 0. ResourceExhausted: the quota. Ends before the
  // store.
  absl::StatusOr<std::unique_ptr<Upload>> BeginUpload(const std::string& sha256,
                                                      int64_t size_bytes);

  // Counts as use.
  bool Has(const std::string& sha256);
  // Counts as use. NotFound; InvalidArgument: no digest.
  absl::StatusOr<std::string> PathOf(const std::string& sha256);

  // These are in use; it replaces what was said before.
  void SetInUse(std::set<std::string> sha256);

  int64_t bytes_used() const;

 private:
  struct Artifact {
    int64_t size_bytes = 0;
    int64_t last_used_ms = 0;
  };

  static absl::Status MakeExecutable(const std::string& path);

  ArtifactStore(FileSystem& fs, Options options) : fs_(fs), options_(std::move(options)) {}
  absl::Status MakeRoom(int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string PathFor(const std::string& sha256) const { return options_.dir + "/" + sha256; }
  absl::Status Keep(Upload& upload);
  void Drop(const Upload& upload);

  FileSystem& fs_;
  const Options options_;

  mutable absl::Mutex mutex_;
  std::map<std::string, Artifact> artifacts_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> in_use_ ABSL_GUARDED_BY(mutex_);
  // Of the files that are there, and of those that are being written.
  int64_t bytes_used_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t uploads_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_ARTIFACT_ARTIFACT_STORE_H_
