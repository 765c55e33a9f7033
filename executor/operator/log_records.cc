#include "executor/operator/log_records.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/partition_log/log_reader.h"
#include "common/record/codec.h"

namespace millrace::internal {
namespace {

absl::Status EndsEarly(const LogSplit& split, const LogPlace& end) {
  return absl::DataLossError(absl::StrCat(
      "'", split.path, "' ends at offset ", end.offset, " (byte ", end.position, "), and offsets ",
      split.from_offset, " to ", split.until_offset, " are to be read: was it cut short?"));
}

// Pushes the records of one split.
class SplitRecords {
 public:
  SplitRecords(TaskNode& node, ChunkSink<std::string_view>& sink, const RandomAccessFile& file,
               const LogSplit& split)
      : task_(node.task()),
        split_(split),
        keeps_views_(sink.keeps_views()),
        records_(sink),
        reader_(file, split.seek, [this](Buffer block) { Hold(std::move(block)); }) {}

  // False as Operator::Compute.
  bool Push() {
    const absl::Status status = PushAll();
    if (!status.ok()) return task_.Fail(status);
    return !stopped_ && records_.Flush();
  }

 private:
  absl::Status PushAll() {
    while (reader_.place().offset < split_.from_offset) {
      ASSIGN_OR_RETURN(const bool passed, reader_.Skip());
      if (!passed) return EndsEarly(split_, reader_.place());
    }
    while (reader_.place().offset < split_.until_offset && !stopped_ && !task_.cancelled()) {
      ASSIGN_OR_RETURN(const std::optional<std::string_view> record, reader_.Next());
      if (!record.has_value()) return EndsEarly(split_, reader_.place());
      if (!records_.Emplace(*record)) stopped_ = true;
    }
    if (task_.cancelled()) stopped_ = true;
    return absl::OkStatus();
  }

  // A block that views are not kept of is let go of when they have been pushed.
  void Hold(Buffer block) {
    if (keeps_views_) {
      task_.Pin(std::move(block));
    } else {
      if (!stopped_ && !records_.Flush()) stopped_ = true;
      held_ = std::move(block);
    }
  }

  TaskContext& task_;
  const LogSplit& split_;
  const bool keeps_views_;
  Buffer held_;
  ChunkBuffer<std::string_view> records_;
  LogReader reader_;
  bool stopped_ = false;
};

}  // namespace

bool LogRecordsOperator::Compute(TaskNode& node, AnySink* out) const {
  ChunkSink<std::string_view>* const sink = SinkOf<std::string_view>(out);
  if (sink == nullptr) return FailWrongSink(node);
  const absl::StatusOr<std::string_view> binding = node.Split();
  if (!binding.ok()) return node.task().Fail(binding.status());
  LogSplit split;
  if (!DecodeFromBytes(*binding, split) || split.seek.offset > split.from_offset) {
    return FailWrongParams(node);
  }
  if (split.from_offset >= split.until_offset) return true;
  const auto file = node.task().fs().OpenForRead(split.path);
  if (!file.ok()) return node.task().Fail(file.status());
  return SplitRecords(node, *sink, **file, split).Push();
}

}  // namespace millrace::internal
