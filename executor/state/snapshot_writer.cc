#include "executor/state/snapshot_writer.h"

#include <string>
#include <utility>

#include "executor/state/state_file.h"
#include "glog/logging.h"

namespace millrace::internal {

SnapshotWriter::SnapshotWriter(TaskNode& node, const SnapshotOrder& order, int64_t since_ms)
    : node_(node) {
  const int partition = node.task().partition();
  absl::StatusOr<PartFile> file =
      PartFile::Create(node.task().fs(), std::string(order.directory), partition,
                       std::to_string(node.task().task_id()));
  Check(file.status());
  if (!file.ok()) return;
  file_.emplace(*std::move(file));
  Check(file_->Append(EncodeStateFileHead({.time_ms = order.time_ms,
                                           .since_ms = since_ms,
                                           .partition = static_cast<uint32_t>(partition)})));
}

Encoder& SnapshotWriter::BeginKey(bool has_state) {
  encoder_.PutFixed(has_state ? kKeyHasState : kKeyRemoved);
  return encoder_;
}

void SnapshotWriter::Flush() {
  if (!is_open() || record_count_ == 0) return;
  if (encoder_.size() > UINT32_MAX) {
    return Check(absl::ResourceExhaustedError("a key's state is larger than 4 GiB"));
  }
  Check(file_->Append(StateFrameHead(encoder_.view(), record_count_)));
  if (is_open()) Check(file_->Append(encoder_.view()));
  encoder_.Clear();
  record_count_ = 0;
  ++frame_count_;
}

bool SnapshotWriter::Finish() {
  Flush();
  // A cancelled attempt may have seen a part of its input only.
  if (node_.task().cancelled() || node_.task().failed()) file_.reset();
  if (is_open()) Check(file_->Append(StateFileEnd(frame_count_)));
  if (is_open()) Check(file_->Commit());
  const bool is_there = is_open();
  file_.reset();
  return is_there;
}

void SnapshotWriter::Check(const absl::Status& status) {
  if (status.ok()) return;
  LOG(WARNING) << node_.label() << ": partition " << node_.task().partition()
               << " of its state cannot be saved: " << status;
  file_.reset();
}

}  // namespace millrace::internal
