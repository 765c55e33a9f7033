#include "executor/operator/object_file_source.h"

#include <string>

#include "common/fs/file_system.h"
#include "executor/sink/object_file.h"

namespace millrace::internal {

bool PushObjectFile(TaskNode& node, const std::function<bool(std::string_view records)>& push) {
  const absl::StatusOr<std::string_view> path = node.Split();
  if (!path.ok()) return node.task().Fail(path.status());
  const auto file = node.task().fs().OpenForRead(std::string(*path));
  if (!file.ok()) return node.task().Fail(file.status());
  ObjectFileReader reader(**file);
  for (;;) {
    if (node.task().cancelled()) return false;
    ObjectFileReader::Frame frame;
    const absl::StatusOr<bool> more = reader.Next(frame);
    if (!more.ok()) return node.task().Fail(more.status());
    if (!*more) return true;
    node.task().Pin(frame.records);
    if (!push(frame.records.view())) return false;
  }
}

}  // namespace millrace::internal
