#include "tests/sim/disk.h"

#include <limits>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/concurrent/thread_wait.h"
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

void Disk::AwaitChange() {
  if (delay_micros_max_ == 0 || !TurnThread::IsCurrent()) return;
  absl::Mutex mutex;
  const absl::MutexLock lock(&mutex);
  bool never = false;
  AwaitUnder(mutex, absl::Condition(&never), absl::Microseconds(world_.Delay(delay_micros_max_)));
}

}  // namespace millrace::sim
