#include "common/fs/rotating_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"

namespace millrace {

absl::Status RotatingFile::Append(std::string_view lines) {
  absl::Status status = Write(lines);
  if (!status.ok()) {
    file_ = nullptr;
    may_be_torn_ = true;
  }
  return status;
}

absl::Status RotatingFile::Write(std::string_view text) {
  if (file_ == nullptr) RETURN_IF_ERROR(Open());
  const auto head_bytes = static_cast<int64_t>(options_.head.size());
  const auto size = static_cast<int64_t>(file_->size_bytes());
  const bool is_new = size <= head_bytes;
  if (!is_new && size + static_cast<int64_t>(text.size()) > options_.bytes_max) {
    RETURN_IF_ERROR(Rotate());
    RETURN_IF_ERROR(Open());
  }
  RETURN_IF_ERROR(file_->Append(text));
  return file_->Flush();
}

absl::Status RotatingFile::Open() {
  RETURN_IF_ERROR(fs_.CreateDirs(std::string(DirName(options_.path))));
  ASSIGN_OR_RETURN(file_, fs_.OpenForWrite(options_.path, WriteMode::kAppend));
  if (file_->size_bytes() == 0) {
    RETURN_IF_ERROR(file_->Append(options_.head));
  } else if (may_be_torn_) {
    RETURN_IF_ERROR(file_->Append("\n"));
  }
  may_be_torn_ = false;
  return absl::OkStatus();
}

absl::Status RotatingFile::Rotate() {
  RETURN_IF_ERROR(file_->Close());
  file_ = nullptr;
  if (options_.files_max <= 1) return fs_.Delete(options_.path);
  for (int age = options_.files_max - 1; age > 1; --age) {
    absl::Status moved = fs_.Rename(OlderPath(age - 1), OlderPath(age));
    if (!moved.ok() && !absl::IsNotFound(moved)) return moved;
  }
  return fs_.Rename(options_.path, OlderPath(1));
}

std::string RotatingFile::OlderPath(int age) const { return absl::StrCat(options_.path, ".", age); }

}  // namespace millrace
