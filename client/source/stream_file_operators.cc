#include "client/source/stream_file_operators.h"

#include "client/sink/console.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/record/codec.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

absl::StatusOr<TextFileSplit> DecodeSplit(TaskNode& node) {
  ASSIGN_OR_RETURN(const std::string_view encoded, node.Split());
  Decoder decoder(encoded);
  TextFileSplit split;
  Decode(decoder, split);
  if (decoder.failed()) return absl::InternalError("the file's name cannot be decoded");
  return split;
}

absl::StatusOr<Buffer> ReadAll(FileSystem& fs, const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, fs.OpenForRead(path));
  return file->Read(0, file->size_bytes());
}

// False, with a warning, when there is no such file to be read.
bool CanBeRead(TaskNode& node, const std::string& path) {
  const auto file = node.task().fs().OpenForRead(path);
  if (file.ok()) return true;
  Console::Get().WriteLines(
      [&] { LOG(WARNING) << node.label() << ": passed over: " << file.status(); });
  return false;
}

}  // namespace

bool StreamTextFileOperator::Compute(TaskNode& node, AnySink* out) const {
  const absl::StatusOr<TextFileSplit> split = DecodeSplit(node);
  if (!split.ok()) return node.task().Fail(split.status());
  return !CanBeRead(node, split->path) || lines_.Compute(node, out);
}

std::optional<std::string_view> ReadStreamFile(TaskNode& node) {
  const absl::StatusOr<TextFileSplit> split = DecodeSplit(node);
  if (!split.ok()) {
    node.task().Fail(split.status());
    return std::nullopt;
  }
  absl::StatusOr<Buffer> contents = ReadAll(node.task().fs(), split->path);
  if (!contents.ok()) {
    Console::Get().WriteLines(
        [&] { LOG(WARNING) << node.label() << ": passed over: " << contents.status(); });
    return std::nullopt;
  }
  const std::string_view view = contents->view();
  node.task().Pin(*std::move(contents));
  return view;
}

}  // namespace millrace::internal
