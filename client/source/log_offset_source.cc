#include "client/source/log_offset_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"
#include "common/partition_log/log_reader.h"
#include "common/record/codec.h"
#include "executor/operator/log_records.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

// What a task passes over at most, besides one record, before its first record comes.
constexpr uint64_t kIndexBytes = uint64_t{64} << 10;

}  // namespace

LogOffsetSource::LogOffsetSource(FileSystem* fs, std::string directory, LogStreamOptions options,
                                 int64_t (*nanos)())
    : fs_(fs), directory_(std::move(directory)), options_(std::move(options)), nanos_(nanos) {}

absl::Status LogOffsetSource::Start(milliseconds timeout) {
  ASSIGN_OR_RETURN(const auto files, List());
  if (options_.start == LogStart::kEarliest) return absl::OkStatus();
  RETURN_IF_ERROR(CountAll(files, timeout));
  for (auto& [number, partition] : partitions_) {
    if (options_.start_offsets.contains(number)) continue;
    if (!partition.is_counted) {
      return absl::DeadlineExceededError(absl::StrCat("the records of '", partition.path,
                                                      "' could not be counted in ", timeout.count(),
                                                      " ms"));
    }
    partition.start = partition.end.offset;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<int, FileInfo>> LogOffsetSource::List() {
  ASSIGN_OR_RETURN(std::vector<FileInfo> children, fs_->List(directory_));
  std::map<int, FileInfo> files;
  for (FileInfo& child : children) {
    const std::optional<int> number = PartitionOfLogFile(child.name);
    if (!number.has_value() || child.is_dir) continue;
    Partition& partition = partitions_[*number];
    if (partition.path.empty()) {
      partition.path = JoinPath(directory_, child.name);
      const auto start = options_.start_offsets.find(*number);
      if (start != options_.start_offsets.end()) partition.start = start->second;
    }
    files.emplace(*number, std::move(child));
  }
  return files;
}

// Each partition that is left gets its share of the time that is left.
absl::Status LogOffsetSource::CountAll(const std::map<int, FileInfo>& files, milliseconds timeout) {
  const int64_t deadline = nanos_() + std::chrono::nanoseconds(timeout).count();
  auto left = static_cast<int64_t>(files.size());
  for (const auto& [number, file] : files) {
    const int64_t now = nanos_();
    RETURN_IF_ERROR(Count(partitions_.at(number), file, now + (deadline - now) / left--));
  }
  return absl::OkStatus();
}

absl::Status LogOffsetSource::Count(Partition& partition, const FileInfo& file,
                                    int64_t deadline_nanos) {
  partition.is_counted = static_cast<uint64_t>(file.size_bytes) == partition.end.position;
  if (partition.is_counted) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto opened, fs_->OpenForRead(partition.path));
  return CountOn(partition, *opened, deadline_nanos);
}

absl::Status LogOffsetSource::CountOn(Partition& partition, const RandomAccessFile& file,
                                      int64_t deadline_nanos) {
  if (partition.end.offset > 0 && file.size_bytes() < partition.end.position) {
    return absl::DataLossError(absl::StrCat(
        "'", partition.path, "' has become shorter: it has ", file.size_bytes(),
        " bytes, and offset ", partition.end.offset, " was at byte ", partition.end.position));
  }
  LogReader reader(file, partition.end);
  for (;;) {
    const absl::StatusOr<bool> passed = reader.Skip();
    RETURN_IF_ERROR(passed.status());
    partition.end = reader.place();
    if (!*passed) break;
    if (partition.end.position - partition.index.back().position < kIndexBytes) continue;
    partition.index.push_back(partition.end);
    if (nanos_() >= deadline_nanos) return absl::OkStatus();
  }
  partition.is_counted = true;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PartitionOffsets>> LogOffsetSource::Latest(milliseconds timeout) {
  ASSIGN_OR_RETURN(const auto files, List());
  RETURN_IF_ERROR(CountAll(files, timeout));
  std::vector<PartitionOffsets> offsets;
  for (const auto& [number, file] : files) {
    const Partition& partition = partitions_.at(number);
    offsets.push_back({directory_, number, partition.start, partition.end.offset,
                       /*may_have_more=*/!partition.is_counted});
  }
  return offsets;
}

SourcePartition LogOffsetSource::Locate(const OffsetRange& range) {
  LogSplit split{JoinPath(directory_, LogFileName(range.partition)), range.from_offset,
                 range.until_offset, LogPlace()};
  if (const auto found = partitions_.find(range.partition); found != partitions_.end()) {
    std::deque<LogPlace>& index = found->second.index;
    while (index.size() > 1 && index[1].offset <= range.from_offset) index.pop_front();
    // Else it was located before: from the front, then.
    if (index.front().offset <= range.from_offset) split.seek = index.front();
  }
  SourcePartition located;
  located.split = EncodeToString(split);
  return located;
}

}  // namespace millrace::internal
