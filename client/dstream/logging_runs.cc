#include "client/dstream/logging_runs.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"
#include "common/log/write_ahead_log.h"
#include "driver/receiver/received_block_tracker.h"

namespace millrace::internal {
namespace {

constexpr char kRoot[] = "receivedData";
constexpr char kRunPrefix[] = "run-";
constexpr char kSeal[] = "sealed";
// Of runs whose data is gone so many keep their seals, should a worker of theirs still live.
constexpr size_t kSealsKept = 16;
constexpr int kBeginAttempts = 100;
// Of runs and starts; what is made of one and the one behind it is no overflow.
constexpr int64_t kNumberMax = (int64_t{1} << (63 - ReceivedBlockTracker::kStartBits)) - 1;

std::optional<int64_t> NumberOf(absl::string_view name, absl::string_view prefix) {
  int64_t number = 0;
  const bool is_number = absl::ConsumePrefix(&name, prefix) && absl::SimpleAtoi(name, &number);
  if (!is_number || number < 0 || number >= kNumberMax) return std::nullopt;
  return number;
}

// Nothing but its seal is left.
absl::StatusOr<bool> IsRunEmpty(FileSystem& fs, const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<FileInfo> files, fs.List(directory));
  return std::none_of(files.begin(), files.end(), [](const FileInfo& file) { return file.is_dir; });
}

// Behind this, the directory is ours: two drivers that begin at once have different ones.
absl::Status ClaimRun(FileSystem& fs, const std::string& directory) {
  RETURN_IF_ERROR(fs.CreateDirs(directory));
  ASSIGN_OR_RETURN(const auto file,
                   fs.OpenForWrite(JoinPath(directory, "owner"), WriteMode::kCreateNew));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(file->Close());
  for (std::string synced = directory; synced.size() > 1; synced = std::string(DirName(synced))) {
    RETURN_IF_ERROR(fs.SyncDir(synced));
    if (BaseName(synced) == kRoot) return fs.SyncDir(std::string(DirName(synced)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> ListNumbered(FileSystem& fs, const std::string& directory,
                                                  absl::string_view prefix) {
  std::vector<int64_t> numbers;
  const auto files = fs.List(directory);
  if (absl::IsNotFound(files.status())) return numbers;
  RETURN_IF_ERROR(files.status());
  for (const FileInfo& file : *files) {
    const auto number = NumberOf(file.name, prefix);
    if (file.is_dir && number.has_value()) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string LoggingRuns::DirectoryOf(int64_t run) const {
  return JoinPath(root, absl::StrFormat("%s%06d", kRunPrefix, run));
}

std::string LoggingRuns::SealOf(int64_t run) const { return JoinPath(DirectoryOf(run), kSeal); }

absl::StatusOr<LoggingRuns> BeginLogging(FileSystem& fs, const std::string& checkpoint_directory,
                                         bool logs) {
  LoggingRuns runs;
  runs.root = JoinPath(checkpoint_directory, kRoot);
  ASSIGN_OR_RETURN(runs.earlier, ListNumbered(fs, runs.root, kRunPrefix));
  const int64_t last = runs.earlier.empty() ? 0 : runs.earlier.back();
  if (!logs) return runs;
  for (int64_t run = last + 1; run <= last + kBeginAttempts; ++run) {
    const absl::Status claimed = ClaimRun(fs, runs.DirectoryOf(run));
    if (absl::IsAlreadyExists(claimed)) continue;
    RETURN_IF_ERROR(claimed);
    runs.own = run;
    return runs;
  }
  return absl::AbortedError(absl::StrCat("other drivers log in '", runs.root, "', too"));
}

absl::Status SealEarlier(FileSystem& fs, const LoggingRuns& runs) {
  for (const int64_t run : runs.earlier) {
    ASSIGN_OR_RETURN(const bool is_sealed, fs.Exists(runs.SealOf(run)));
    if (!is_sealed) RETURN_IF_ERROR(SealLog(fs, runs.SealOf(run)));
  }
  for (size_t i = 0; i + kSealsKept < runs.earlier.size(); ++i) {
    const std::string oldest = runs.DirectoryOf(runs.earlier[i]);
    ASSIGN_OR_RETURN(const bool is_empty, IsRunEmpty(fs, oldest));
    if (!is_empty) break;
    RETURN_IF_ERROR(fs.DeleteRecursively(oldest));
  }
  return absl::OkStatus();
}

}  // namespace millrace::internal
