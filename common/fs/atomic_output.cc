#include "common/fs/atomic_output.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"

namespace millrace {

namespace {

// Names that begin with a dot are hidden from those who read directories of files, our file
// source among them.
std::string HiddenName(std::string_view name, std::string_view attempt) {
  return absl::StrCat(".", std::string(name), ".", std::string(attempt), ".tmp");
}

}  // namespace

AtomicOutput::AtomicOutput(FileSystem& fs, std::string path, std::string_view attempt)
    : fs_(fs),
      path_(std::move(path)),
      staging_path_(JoinPath(DirName(path_), HiddenName(BaseName(path_), attempt))) {}

absl::Status AtomicOutput::Begin(IfOutputExists if_exists) {
  if (if_exists == IfOutputExists::kFail) {
    ASSIGN_OR_RETURN(const bool exists, fs_.Exists(path_));
    if (exists) {
      return absl::AlreadyExistsError(
          absl::StrCat("output directory '", path_, "' exists; remove it or write to another one"));
    }
  }
  RETURN_IF_ERROR(fs_.DeleteRecursively(staging_path_));
  return fs_.CreateDirs(staging_path_);
}

absl::Status AtomicOutput::Publish(IfOutputExists if_exists) {
  ASSIGN_OR_RETURN(const std::vector<FileInfo> files, fs_.List(staging_path_));
  for (const FileInfo& file : files) {
    if (file.name.starts_with('.')) {
      RETURN_IF_ERROR(fs_.DeleteRecursively(JoinPath(staging_path_, file.name)));
    }
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> success,
                   fs_.OpenForWrite(JoinPath(staging_path_, "_SUCCESS"), WriteMode::kTruncate));
  RETURN_IF_ERROR(success->Close());
  RETURN_IF_ERROR(fs_.SyncDir(staging_path_));
  RETURN_IF_ERROR(if_exists == IfOutputExists::kReplace ? fs_.ReplaceDir(staging_path_, path_)
                                                        : fs_.Rename(staging_path_, path_));
  return fs_.SyncDir(std::string(DirName(path_)));
}

absl::Status AtomicOutput::Abandon() { return fs_.DeleteRecursively(staging_path_); }

std::string PartFileName(int partition) { return absl::StrFormat("part-%05d", partition); }

absl::StatusOr<PartFile> PartFile::Create(FileSystem& fs, const std::string& dir, int partition,
                                          std::string_view attempt) {
  const std::string name = PartFileName(partition);
  ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                   fs.OpenForWrite(JoinPath(dir, HiddenName(name, attempt)), WriteMode::kTruncate));
  return PartFile(fs, std::move(file), JoinPath(dir, name));
}

PartFile::~PartFile() {
  if (file_ != nullptr) fs_->Delete(file_->path()).IgnoreError();
}

absl::Status PartFile::Commit() {
  RETURN_IF_ERROR(file_->Sync());
  RETURN_IF_ERROR(file_->Close());
  RETURN_IF_ERROR(fs_->Rename(file_->path(), final_path_));
  file_ = nullptr;
  return absl::OkStatus();
}

}  // namespace millrace
