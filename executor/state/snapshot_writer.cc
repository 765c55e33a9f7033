#include "executor/state/snapshot_writer.h"

#include <string>
#include <utility>

#include "executor/sink/object_file.h"
#include "glog/logging.h"

namespace millrace::internal {

SnapshotWriter::SnapshotWriter(TaskNode& node) : node_(node) {
  const std::string directory(node.state_snapshot_path());
  if (directory.empty() || node.task().failed()) return;
  absl::StatusOr<PartFile> file = PartFile::Create(
      node.task().fs(), directory, node.task().partition(), std::to_string(node.task().task_id()));
  Check(file.status());
  if (!file.ok()) return;
  file_.emplace(*std::move(file));
  Check(file_->Append(ObjectFileHead()));
}

void SnapshotWriter::Flush() {
  if (!is_open() || record_count_ == 0) return;
  if (encoder_.size() > UINT32_MAX) {
    return Check(absl::ResourceExhaustedError("a key's state is larger than 4 GiB"));
  }
  Check(file_->Append(ObjectFrameHead(encoder_.view(), record_count_)));
  if (is_open()) Check(file_->Append(encoder_.view()));
  encoder_.Clear();
  record_count_ = 0;
}

void SnapshotWriter::Finish() {
  Flush();
  // A cancelled attempt may have seen a part of its input only.
  if (is_open() && !node_.task().cancelled() && !node_.task().failed()) Check(file_->Commit());
  file_.reset();
}

void SnapshotWriter::Check(const absl::Status& status) {
  if (status.ok()) return;
  LOG(WARNING) << node_.label() << ": partition " << node_.task().partition()
               << " of its state cannot be saved: " << status;
  file_.reset();
}

}  // namespace millrace::internal
