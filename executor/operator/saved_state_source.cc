#include "executor/operator/saved_state_source.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/record/codec.h"
#include "executor/sink/object_file.h"
#include "executor/state/state_file.h"

namespace millrace::internal {
namespace {

absl::Status WrongPart(const std::string& path, const std::string& problem) {
  return absl::DataLossError(absl::StrCat("saved state ", path, ": ", problem, " at offset 0"));
}

// What the file is must be what it is read as.
absl::Status CheckPart(const SavedPart& part, uint32_t partition, const StateFileHead& head) {
  if (head.partition != partition || head.time_ms != part.time_ms) {
    return WrongPart(
        part.path, absl::StrCat("it is of partition ", head.partition, " and batch ", head.time_ms,
                                " ms, not of ", partition, " and ", part.time_ms, " ms"));
  }
  return absl::OkStatus();
}

absl::Status CheckFollows(const SavedPart& part, const SavedPart* before,
                          const StateFileHead& head) {
  if (before != nullptr && head.since_ms <= before->time_ms) return absl::OkStatus();
  return WrongPart(
      part.path,
      absl::StrCat("it builds on batch ", head.since_ms, " ms, and what is there before it is ",
                   before == nullptr ? std::string("nothing")
                                     : absl::StrCat("of batch ", before->time_ms, " ms")));
}

// One file.
class PartReader {
 public:
  PartReader(TaskNode& node, const SavedPart& part, const RandomAccessFile& file)
      : node_(node), part_(part), file_(file) {}

  // True: no older file counts. nullopt: it failed.
  std::optional<bool> Push(uint32_t partition, const SavedPart* before,
                           const std::function<bool(const SavedRecords&)>& push) {
    const absl::StatusOr<bool> is_object_file = IsObjectFile();
    if (!is_object_file.ok()) return Fail(is_object_file.status());
    if (*is_object_file) return PushObjectFile(push);
    StateFileReader reader(file_);
    const absl::StatusOr<StateFileHead> head = reader.ReadHead();
    if (!head.ok()) return Fail(head.status());
    if (const absl::Status status = CheckPart(part_, partition, *head); !status.ok()) {
      return Fail(status);
    }
    if (!head->has_all_keys()) {
      const absl::Status status = CheckFollows(part_, before, *head);
      if (!status.ok()) return Fail(status);
    }
    for (;;) {
      StateFileReader::Frame frame;
      const absl::StatusOr<bool> more = reader.Next(frame);
      if (!more.ok()) return Fail(more.status());
      if (!*more) return head->has_all_keys();
      node_.task().Pin(frame.records);
      if (!push({.bytes = frame.records.view(),
                 .count = frame.record_count,
                 .time_ms = head->time_ms,
                 .has_all_keys = head->has_all_keys(),
                 .fail = [&] { return FailRecords(frame.offset); }})) {
        return std::nullopt;
      }
    }
  }

 private:
  // Before there were files of state, object files with all keys stood for them.
  absl::StatusOr<bool> IsObjectFile() const {
    if (file_.size_bytes() < sizeof kObjectFileMagic) return false;
    ASSIGN_OR_RETURN(const Buffer magic, file_.Read(0, sizeof kObjectFileMagic));
    return Decoder(magic.view()).GetFixed<uint32_t>() == kObjectFileMagic;
  }

  std::optional<bool> PushObjectFile(const std::function<bool(const SavedRecords&)>& push) {
    ObjectFileReader reader(file_);
    for (;;) {
      ObjectFileReader::Frame frame;
      const absl::StatusOr<bool> more = reader.Next(frame);
      if (!more.ok()) return Fail(more.status());
      if (!*more) return true;
      node_.task().Pin(frame.records);
      if (!push({.bytes = frame.records.view(),
                 .count = frame.record_count,
                 .time_ms = part_.time_ms,
                 .has_all_keys = true,
                 .is_object_file = true,
                 .fail = [&] { return FailRecords(0); }})) {
        return std::nullopt;
      }
    }
  }

  bool FailRecords(uint64_t offset) {
    return node_.task().Fail(absl::DataLossError(
        absl::StrCat("saved state ", part_.path, ": wrong records at offset ", offset)));
  }

  std::optional<bool> Fail(const absl::Status& status) {
    node_.task().Fail(status);
    return std::nullopt;
  }

  TaskNode& node_;
  const SavedPart& part_;
  const RandomAccessFile& file_;
};

}  // namespace

bool PushSavedState(TaskNode& node, const std::function<bool(const SavedRecords&)>& push) {
  const absl::StatusOr<std::string_view> split = node.Split();
  if (!split.ok()) return node.task().Fail(split.status());
  SavedPartition saved;
  Decoder decoder(*split);
  Decode(decoder, saved);
  if (decoder.failed() || !decoder.done() || saved.parts.empty()) return FailWrongParams(node);
  for (size_t i = saved.parts.size(); i-- > 0;) {
    if (node.task().cancelled()) return false;
    const SavedPart& part = saved.parts[i];
    const auto file = node.task().fs().OpenForRead(part.path);
    if (!file.ok()) return node.task().Fail(file.status());
    PartReader reader(node, part, **file);
    const SavedPart* const before = i == 0 ? nullptr : &saved.parts[i - 1];
    const std::optional<bool> is_last = reader.Push(saved.partition, before, push);
    if (!is_last.has_value()) return false;
    if (*is_last) return true;
  }
  return true;
}

}  // namespace millrace::internal
