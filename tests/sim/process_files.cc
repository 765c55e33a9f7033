#include "tests/sim/process_files.h"

#include <string_view>

#include "common/base/status_macros.h"

namespace millrace::sim {

absl::Status ProcessFiles::BeforeLook() const {
  return has_ended_ ? absl::UnavailableError("the process has ended") : absl::OkStatus();
}

absl::Status ProcessFiles::BeforeChange() {
  // It may have ended when this returns.
  if (disk_ != nullptr) disk_->AwaitChange();
  if (!has_ended_ && changes_left_ != kEndless && changes_left_-- == 0) {
    has_ended_ = true;
    on_end_();
  }
  return BeforeLook();
}

class ProcessFiles::File final : public WritableFile {
 public:
  File(ProcessFiles& files, std::unique_ptr<WritableFile> file)
      : files_(files), file_(std::move(file)) {}

  const std::string& path() const override { return file_->path(); }
  uint64_t size_bytes() const override { return file_->size_bytes(); }
  absl::Status Append(std::string_view bytes) override {
    RETURN_IF_ERROR(files_.BeforeChange());
    return file_->Append(bytes);
  }
  absl::Status Flush() override {
    RETURN_IF_ERROR(files_.BeforeChange());
    return file_->Flush();
  }
  absl::Status Sync() override {
    RETURN_IF_ERROR(files_.BeforeChange());
    return file_->Sync();
  }
  absl::Status Close() override {
    RETURN_IF_ERROR(files_.BeforeChange());
    return file_->Close();
  }

 private:
  ProcessFiles& files_;
  const std::unique_ptr<WritableFile> file_;
};

absl::StatusOr<std::unique_ptr<RandomAccessFile>> ProcessFiles::OpenForRead(
    const std::string& path) {
  RETURN_IF_ERROR(BeforeLook());
  return files_.OpenForRead(path);
}

absl::StatusOr<std::unique_ptr<WritableFile>> ProcessFiles::OpenForWrite(const std::string& path,
                                                                         WriteMode mode) {
  RETURN_IF_ERROR(BeforeChange());
  ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, files_.OpenForWrite(path, mode));
  written_.insert(path);
  return std::make_unique<File>(*this, std::move(file));
}

absl::Status ProcessFiles::Rename(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(BeforeChange());
  return files_.Rename(from, to);
}

absl::Status ProcessFiles::RenameToNew(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(BeforeChange());
  return files_.RenameToNew(from, to);
}

absl::Status ProcessFiles::ReplaceDir(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(BeforeChange());
  return files_.ReplaceDir(from, to);
}

absl::Status ProcessFiles::Delete(const std::string& path) {
  RETURN_IF_ERROR(BeforeChange());
  return files_.Delete(path);
}

absl::Status ProcessFiles::DeleteRecursively(const std::string& path) {
  RETURN_IF_ERROR(BeforeChange());
  return files_.DeleteRecursively(path);
}

absl::Status ProcessFiles::CreateDirs(const std::string& path) {
  RETURN_IF_ERROR(BeforeChange());
  return files_.CreateDirs(path);
}

absl::StatusOr<std::vector<FileInfo>> ProcessFiles::List(const std::string& dir) {
  RETURN_IF_ERROR(BeforeLook());
  return files_.List(dir);
}

absl::StatusOr<FileInfo> ProcessFiles::Stat(const std::string& path) {
  RETURN_IF_ERROR(BeforeLook());
  return files_.Stat(path);
}

absl::Status ProcessFiles::SyncDir(const std::string& dir) {
  RETURN_IF_ERROR(BeforeChange());
  return files_.SyncDir(dir);
}

}  // namespace millrace::sim
