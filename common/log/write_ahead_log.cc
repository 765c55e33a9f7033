#include "common/log/write_ahead_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/concurrent/thread_wait.h"
#include "common/fs/file_util.h"
#include "common/fs/path.h"
#include "common/time/system_clock.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// With what is to be found in it: three levels are new where nobody has logged before.
absl::Status MakeDirectory(FileSystem& fs, const std::string& directory) {
  RETURN_IF_ERROR(fs.CreateDirs(directory));
  std::string parent(DirName(directory));
  for (int level = 0; level < 3 && parent.size() > 1; ++level) {
    RETURN_IF_ERROR(fs.SyncDir(parent));
    parent = std::string(DirName(parent));
  }
  return absl::OkStatus();
}

size_t BytesOf(const std::vector<LogPayload>& records) {
  size_t bytes = 0;
  for (const LogPayload& record : records) {
    for (const Buffer& piece : record) bytes += piece.size();
  }
  return bytes;
}

}  // namespace

WriteAheadLog::WriteAheadLog(FileSystem& fs, Options options)
    : fs_(fs), options_(std::move(options)), thread_("log", [this] { Run(); }) {}

WriteAheadLog::~WriteAheadLog() { Close(); }

void WriteAheadLog::Close() {
  {
    const absl::MutexLock lock(&mutex_);
    is_ending_ = true;
  }
  thread_.Join();
}

WriteAheadLog::Written WriteAheadLog::Append(std::vector<LogPayload> records) {
  auto written = std::make_shared<OneShot<Places>>();
  const size_t bytes = BytesOf(records);
  const absl::MutexLock lock(&mutex_);
  if (!waiting_.empty() && waiting_bytes_ + bytes > kWaitingBytesMax) {
    written->Set(absl::ResourceExhaustedError(absl::StrCat("the log in '", options_.directory,
                                                           "' cannot keep up: ", waiting_bytes_,
                                                           " bytes wait to be written")));
    return written;
  }
  waiting_bytes_ += bytes;
  waiting_.push_back({std::move(records), written});
  return written;
}

WriteAheadLog::Places WriteAheadLog::Await(const Written& written,
                                           std::chrono::nanoseconds timeout) {
  const Places* const places = written->WaitFor(timeout);
  if (places != nullptr) return *places;
  return absl::DeadlineExceededError(
      absl::StrCat("the log has not been written for ",
                   std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count(), " ms"));
}

// ---------------------------------------------------------------------------------------------
// The thread.

void WriteAheadLog::Run() {
  while (true) {
    Group group;
    {
      const absl::MutexLock lock(&mutex_);
      const auto has_work = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
        return is_ending_ || !waiting_.empty();
      };
      AwaitUnder(mutex_, absl::Condition(&has_work), absl::InfiniteDuration());
      if (waiting_.empty()) break;
      group = std::exchange(waiting_, {});
      waiting_bytes_ = 0;
    }
    Write(group);
  }
  LeaveSegment();
}

void WriteAheadLog::Write(Group& group) {
  Places places = TryWrite(group);
  for (int attempt = 1; attempt < options_.attempts_max; ++attempt) {
    if (places.ok() || absl::IsFailedPrecondition(places.status())) break;
    LOG(WARNING) << "writing to the log failed, attempt " << attempt << " of "
                 << options_.attempts_max << ": " << places.status();
    places = TryWrite(group);
  }
  size_t next = 0;
  for (Waiting& waiting : group) {
    if (!places.ok()) {
      waiting.written->Set(places.status());
      continue;
    }
    const auto begin = places->begin() + static_cast<std::ptrdiff_t>(next);
    next += waiting.records.size();
    waiting.written->Set(
        std::vector<SegmentPlace>(begin, places->begin() + static_cast<std::ptrdiff_t>(next)));
  }
}

WriteAheadLog::Places WriteAheadLog::TryWrite(const Group& group) {
  const auto write = [&]() -> Places {
    const int64_t age_nanos = MonotonicNanos() - segment_begun_nanos_;
    if (segment_ && age_nanos >= std::chrono::nanoseconds(options_.rolling_interval).count()) {
      LeaveSegment();
    }
    if (!segment_) RETURN_IF_ERROR(OpenSegment());
    std::vector<SegmentPlace> places;
    for (const Waiting& waiting : group) {
      for (const LogPayload& record : waiting.records) {
        ASSIGN_OR_RETURN(const SegmentPlace place, segment_->Append(record));
        places.push_back(place);
      }
    }
    RETURN_IF_ERROR(segment_->Sync());
    return places;
  };
  Places places = write();
  if (places.ok()) {
    // Behind the sync: whoever seals reads what was on the disk when it did.
    RETURN_IF_ERROR(CheckSeals());
    if (options_.close_after_write) LeaveSegment();
  } else if (segment_) {
    // What it has on the disk stays; what has failed is written again, to the next one.
    const bool is_empty = !segment_->has_durable_records();
    const std::string path = segment_->path();
    segment_.reset();
    // Its number is that of the next one, too: readers take it that none is left out.
    if (is_empty && fs_.Delete(path).ok()) --last_segment_;
  }
  return places;
}

absl::Status WriteAheadLog::OpenSegment() {
  RETURN_IF_ERROR(CheckSeals());
  RETURN_IF_ERROR(OpenDirectory());
  absl::StatusOr<SegmentWriter> segment =
      SegmentWriter::Create(fs_, options_.directory, last_segment_ + 1);
  // One that could neither be begun nor deleted stays as it is.
  if (segment.ok() || absl::IsAlreadyExists(segment.status())) ++last_segment_;
  RETURN_IF_ERROR(segment.status());
  segment_begun_nanos_ = MonotonicNanos();
  segment_.emplace(*std::move(segment));
  return absl::OkStatus();
}

absl::Status WriteAheadLog::OpenDirectory() {
  if (has_directory_) return absl::OkStatus();
  if (!options_.shared_directory.empty()) {
    ASSIGN_OR_RETURN(const bool is_shared, fs_.Exists(options_.shared_directory));
    if (!is_shared) {
      return absl::NotFoundError(absl::StrCat(
          "'", options_.shared_directory, "', which the driver has made, is not there: the ",
          "checkpoint directory must be one that all processes share"));
    }
  }
  RETURN_IF_ERROR(MakeDirectory(fs_, options_.directory));
  has_directory_ = true;
  return absl::OkStatus();
}

absl::Status WriteAheadLog::CheckSeals() {
  for (const std::string& seal : options_.seals) {
    ASSIGN_OR_RETURN(const bool is_sealed, fs_.Exists(seal));
    if (is_sealed) {
      return absl::FailedPreconditionError(
          absl::StrCat("the log in '", options_.directory, "' was given up: '", seal,
                       "' is there, so what is logged counts no more"));
    }
  }
  return absl::OkStatus();
}

// Readers get along without the end of a segment, so an error here is nobody's loss.
void WriteAheadLog::LeaveSegment() {
  if (!segment_) return;
  const absl::Status finished = segment_->Finish();
  LOG_IF(WARNING, !finished.ok()) << "closing a segment of a log: " << finished;
  segment_.reset();
}

absl::Status SealLog(FileSystem& fs, const std::string& seal) {
  const std::string directory(DirName(seal));
  RETURN_IF_ERROR(MakeDirectory(fs, directory));
  return WriteFileAtomically(fs, seal, "");
}

}  // namespace millrace::internal
