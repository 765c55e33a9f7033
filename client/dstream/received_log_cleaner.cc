#include "client/dstream/received_log_cleaner.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"
#include "common/log/block_log.h"
#include "driver/checkpoint/checkpoint_store.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

constexpr int64_t kNothing = INT64_MAX;

absl::Status DeleteSegments(FileSystem& fs, const std::string& directory, int64_t first_segment) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> segments, ListSegments(fs, directory));
  for (const int64_t segment : segments) {
    if (segment >= first_segment) break;
    RETURN_IF_ERROR(fs.Delete(JoinPath(directory, SegmentName(segment))));
  }
  return absl::OkStatus();
}

}  // namespace

void ReceivedLogCleaner::KnowEarlier(const std::set<std::string>& directories) {
  for (const std::string& directory : directories) cleaned_.try_emplace(directory, 0);
  earlier_.insert(directories.begin(), directories.end());
}

void ReceivedLogCleaner::CheckpointWritten(std::vector<NeededLog> needed) {
  for (const NeededLog& log : needed) cleaned_.try_emplace(log.directory, 0);
  kept_.push_back(std::move(needed));
  // Older ones are still there, and nobody has said what they need.
  if (kept_.size() < CheckpointStore::kKept) return;
  if (kept_.size() > CheckpointStore::kKept) kept_.pop_front();
  std::map<std::string, int64_t> first;
  for (const auto& logs : kept_) {
    for (const NeededLog& log : logs) {
      int64_t& segment = first.try_emplace(log.directory, kNothing).first->second;
      segment = std::min(segment, log.first_segment);
    }
  }
  for (auto cleaned = cleaned_.begin(); cleaned != cleaned_.end();) {
    const auto found = first.find(cleaned->first);
    const int64_t segment = found == first.end() ? kNothing : found->second;
    if (segment > cleaned->second) Clean(cleaned->first, segment);
    cleaned->second = std::max(cleaned->second, segment);
    cleaned = segment == kNothing ? cleaned_.erase(cleaned) : std::next(cleaned);
  }
}

// A seal stays, for the lost worker that it holds up may still come back to write.
void ReceivedLogCleaner::Clean(const std::string& directory, int64_t first_segment) {
  absl::Status status;
  if (first_segment == kNothing && earlier_.contains(directory)) {
    status = fs_.DeleteRecursively(directory);
    fs_.Delete(std::string(DirName(directory))).IgnoreError();
    earlier_.erase(directory);
  } else {
    status = DeleteSegments(fs_, directory, first_segment);
    if (first_segment == kNothing) fs_.Delete(directory).IgnoreError();
  }
  LOG_IF(WARNING, !status.ok()) << "the log of a receiver cannot be cleaned up: " << status;
}

}  // namespace millrace::internal
