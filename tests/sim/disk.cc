#include "tests/sim/disk.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/concurrent/thread_wait.h"
#include "common/fs/file_util.h"
#include "glog/logging.h"
#include "tests/sim/turn_thread.h"

namespace millrace::sim {
namespace {

// Null: the disk fails at no such operation.
const char* NameOf(FileOp op) {
  switch (op) {
    case FileOp::kOpenForWrite:
      return "open for writing";
    case FileOp::kAppend:
      return "write";
    case FileOp::kSync:
      return "sync";
    case FileOp::kRename:
      return "rename";
    default:
      return nullptr;
  }
}

}  // namespace

Disk::Disk(World& world, MemoryFileSystem& fs) : world_(world), fs_(fs) {
  fs_.SetFault([this](FileOp op, const std::string& path) { return MayFail(op, path); });
}

void Disk::Reset() {
  failing_one_in_ = 0;
  delay_micros_max_ = 0;
  fs_.SetCapacity(std::numeric_limits<uint64_t>::max());
}

absl::Status Disk::MayFail(FileOp op, const std::string& path) {
  const char* const name = NameOf(op);
  if (failing_one_in_ == 0 || name == nullptr || !world_.OneIn(failing_one_in_)) {
    return absl::OkStatus();
  }
  return absl::UnknownError(absl::StrCat("cannot ", name, " '", path, "': Input/output error"));
}

// As common/log/README.md says it of a segment: each record's head has the size of what was on the
// disk before it.
int64_t Disk::CheckedBytes(const std::string& path) {
  constexpr size_t kSegmentHeadBytes = 24;
  constexpr size_t kRecordHeadBytes = 32;
  auto bytes = ReadWholeFile(fs_, path, std::numeric_limits<uint64_t>::max());
  if (!bytes.ok()) return 0;
  if (!absl::StartsWith(*bytes, "MRWL")) return static_cast<int64_t>(bytes->size());
  uint64_t checked = 0;
  for (size_t at = kSegmentHeadBytes; at + kRecordHeadBytes <= bytes->size();) {
    uint32_t payload_bytes = 0;
    std::memcpy(&payload_bytes, bytes->data() + at + 4, sizeof payload_bytes);
    std::memcpy(&checked, bytes->data() + at + 8, sizeof checked);
    at += kRecordHeadBytes + payload_bytes;
  }
  return static_cast<int64_t>(std::min<uint64_t>(checked, bytes->size()));
}

std::string Disk::SpoilFile(const std::string& directory,
                            absl::FunctionRef<bool(const std::string& path)> must_stay) {
  std::vector<std::string> files;
  for (const std::string& path : fs_.AllPaths()) {
    const auto info = fs_.Stat(path);
    const bool is_file = info.ok() && !info->is_dir && CheckedBytes(path) > 0;
    if (is_file && absl::StartsWith(path, directory + "/")) files.push_back(path);
  }
  if (files.empty()) return "";
  const auto index = world_.Between(0, static_cast<int64_t>(files.size()) - 1);
  const std::string& path = files[static_cast<size_t>(index)];
  if (!must_stay(path) && world_.OneIn(3)) {
    CHECK_EQ(fs_.Delete(path), absl::OkStatus());
    return path;
  }
  const int64_t offset = world_.Between(0, CheckedBytes(path) - 1);
  fs_.FlipBits(path, static_cast<size_t>(offset), static_cast<char>(world_.Between(1, 255)));
  return path;
}

void Disk::AwaitChange() {
  if (delay_micros_max_ == 0 || !TurnThread::IsCurrent()) return;
  absl::Mutex mutex;
  const absl::MutexLock lock(&mutex);
  bool never = false;
  AwaitUnder(mutex, absl::Condition(&never), absl::Microseconds(world_.Delay(delay_micros_max_)));
}

}  // namespace millrace::sim
