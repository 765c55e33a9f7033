// A write-ahead log: what was appended is on the disk before anybody acts on it.
#ifndef MILLRACE_COMMON_LOG_WRITE_AHEAD_LOG_H_
#define MILLRACE_COMMON_LOG_WRITE_AHEAD_LOG_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/concurrent/joined_thread.h"
#include "common/concurrent/one_shot.h"
#include "common/fs/file_system.h"
#include "common/log/segment_format.h"
#include "common/log/segment_writer.h"

namespace millrace::internal {

// Writes segments into a directory that is its own, on a thread of its own: what is appended while
// a write is under way goes to the disk together, with one sync. A write that fails is tried again
// in a new segment.
//
// Threads: any; Close and the destructor, which closes, the owner's.
// Invariants: records of one append stand in its order, and so do appends of which one began when
// the other had succeeded; a segment that was left is not written to again.
class WriteAheadLog {
 public:
  struct Options {
    std::string directory;  // Made by the first append.
    // Made by whoever will read the log; where it is not there, this is another disk. Empty: nobody
    // has made one.
    std::string shared_directory = "";
    // When one of these files is there, somebody has read what there is and goes by that: appends
    // fail with FailedPrecondition.
    std::vector<std::string> seals;
    // An append that comes when the segment is older begins a new one.
    std::chrono::milliseconds rolling_interval{60'000};
    int attempts_max = 3;
    bool close_after_write = false;  // A segment for each write.
  };
  static constexpr size_t kWaitingBytesMax = size_t{128} << 20;

  // Of the records of one append, in their order; the records are on the disk then.
  using Places = absl::StatusOr<std::vector<SegmentPlace>>;
  // What an append waits on.
  using Written = std::shared_ptr<OneShot<Places>>;

  // `fs` outlives the log.
  WriteAheadLog(FileSystem& fs, Options options);
  ~WriteAheadLog();
  WriteAheadLog(const WriteAheadLog&) = delete;
  WriteAheadLog& operator=(const WriteAheadLog&) = delete;

  const std::string& directory() const { return options_.directory; }

  // Does not wait. The outcome is an error when the records may or may not be there, at once
  // (ResourceExhausted) when much waits for the disk already.
  Written Append(std::vector<LogPayload> records) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until what was appended is written or has failed, and ends the thread. Nothing may be
  // appended from here on.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);
  // DeadlineExceeded: the disk has not answered in time.
  static Places Await(const Written& written, std::chrono::nanoseconds timeout);

 private:
  struct Waiting {
    std::vector<LogPayload> records;
    Written written;
  };
  using Group = std::vector<Waiting>;

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Write(Group& group);
  // The places of all of the group's records.
  Places TryWrite(const Group& group);
  absl::Status OpenSegment();
  absl::Status OpenDirectory();
  absl::Status CheckSeals();
  void LeaveSegment();

  FileSystem& fs_;
  const Options options_;

  // The thread's own.
  std::optional<SegmentWriter> segment_;
  int64_t last_segment_ = 0;
  int64_t segment_begun_nanos_ = 0;
  bool has_directory_ = false;

  absl::Mutex mutex_;
  Group waiting_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_ending_ ABSL_GUARDED_BY(mutex_) = false;

  JoinedThread thread_;
};

// Makes the file, after which no append of a log with this seal succeeds. Its directory is made
// where there is none.
absl::Status SealLog(FileSystem& fs, const std::string& seal);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_LOG_WRITE_AHEAD_LOG_H_
