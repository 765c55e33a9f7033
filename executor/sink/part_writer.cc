#include "executor/sink/part_writer.h"

#include <string>
#include <utility>

namespace millrace::internal {

bool PartWriter::Open() {
  TaskContext& task = node_.task();
  const std::string dir(node_.output_path());
  if (task.failed()) return false;
  if (dir.empty()) return task.Fail(absl::InvalidArgumentError("has no directory to write into"));
  absl::StatusOr<PartFile> file =
      PartFile::Create(task.fs(), dir, task.partition(), std::to_string(task.task_id()));
  if (!file.ok()) return task.Fail(file.status());
  file_.emplace(*std::move(file));
  return true;
}

bool PartWriter::Append(std::string_view bytes) {
  absl::Status status = file_->Append(bytes);
  return status.ok() || node_.task().Fail(std::move(status));
}

bool PartWriter::Commit() {
  // A cancelled attempt may have seen a part of its input only.
  if (node_.task().cancelled()) return false;
  absl::Status status = file_->Commit();
  return status.ok() || node_.task().Fail(std::move(status));
}

}  // namespace millrace::internal
