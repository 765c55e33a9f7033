#include "client/cluster/local_work_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

constexpr const char* kPrefix = "millrace-";
constexpr const char* kIdPrefix = "local-cluster-";

// Not valid: it is no directory that this user may open.
Descriptor OpenDirectory(const std::string& path) {
  return Descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Whether the open directory is still the one of that name.
bool IsAt(const Descriptor& directory, const std::string& path) {
  struct stat open_one {};
  struct stat named {};
  return fstat(directory.get(), &open_one) == 0 && lstat(path.c_str(), &named) == 0 &&
         open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

// Of this user's directories, the ones that no living process has locked.
void RemoveLeftOver(const std::string& path, FileSystem& fs) {
  const Descriptor lock = OpenDirectory(path);
  struct stat info {};
  if (!lock.valid() || fstat(lock.get(), &info) != 0 || info.st_uid != geteuid()) return;
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0 || !IsAt(lock, path)) return;
  const absl::Status removed = fs.DeleteRecursively(path);
  if (!removed.ok()) LOG(WARNING) << "left by a process that was killed: " << removed;
}

void RemoveLeftOvers(const std::string& local_dir, FileSystem& fs) {
  const auto entries = fs.List(local_dir);
  if (!entries.ok()) return;  // Making a directory there says what is wrong.
  for (const FileInfo& entry : *entries) {
    if (absl::StartsWith(entry.name, absl::StrCat(kPrefix, kIdPrefix))) {
      RemoveLeftOver(JoinPath(local_dir, entry.name), fs);
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalWorkDir>> LocalWorkDir::Make(const std::string& local_dir,
                                                                 FileSystem& fs) {
  static std::atomic<int> last{0};
  RETURN_IF_ERROR(fs.CreateDirs(local_dir));
  RemoveLeftOvers(local_dir, fs);
  for (;;) {
    std::string id = absl::StrCat(kIdPrefix, getpid(), "-", last.fetch_add(1));
    std::string path = JoinPath(local_dir, absl::StrCat(kPrefix, id));
    if (mkdir(path.c_str(), S_IRWXU) != 0) {
      if (errno == EEXIST) continue;
      return ErrnoStatus("make", path);
    }
    Descriptor lock = OpenDirectory(path);
    if (!lock.valid() && errno != ENOENT) return ErrnoStatus("open", path);
    while (lock.valid() && flock(lock.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    // Until it was locked it looked like one that is left over. Where locks are not to be had,
    // nobody gets one to remove it.
    if (lock.valid() && IsAt(lock, path)) {
      return std::unique_ptr<LocalWorkDir>(
          new LocalWorkDir(std::move(id), std::move(path), std::move(lock), fs));
    }
  }
}

LocalWorkDir::LocalWorkDir(std::string id, std::string path, Descriptor lock, FileSystem& fs)
    : id_(std::move(id)), path_(std::move(path)), lock_(std::move(lock)), fs_(fs) {}

// Locked until it is gone.
LocalWorkDir::~LocalWorkDir() {
  const absl::Status removed = fs_.DeleteRecursively(path_);
  if (!removed.ok()) LOG(WARNING) << removed;
}

}  // namespace millrace::internal
