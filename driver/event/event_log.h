// What happened in an application, on disk, for programs to read.
#ifndef MILLRACE_DRIVER_EVENT_EVENT_LOG_H_
#define MILLRACE_DRIVER_EVENT_EVENT_LOG_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/fs/rotating_file.h"
#include "driver/event/streaming_listener.h"

namespace millrace::internal {

// Writes each event as one line of JSON into `<directory>/<application>-<start
// time>-<process>.jsonl` (see RotatingFile for what becomes of it when it is full): the event's
// name, the time at which it was written, and all that the event carries, under the names of the
// REST API; what is absent is left out. Every file begins with a line `logOpened` that has the
// format's version.
//
//   {"event":"batchCompleted","loggedAt":1357008430047,"batchTime":1357008430000,...}
//
// Lines are gathered and handed to the operating system with each batch's end, and with every event
// outside of batches. A disk that is full or broken is a warning now and then: lines are lost,
// counted, and told in a line `linesLost` when the disk works again.
//
// Threads: any; the runs of one application may follow one another quickly.
class EventLog final : public StreamingListener {
 public:
  static constexpr int kFormatVersion = 1;

  struct Options {
    std::string directory;
    std::string app_name;
    std::string master;
    int64_t process_id = 0;
    int64_t file_bytes_max = int64_t{64} << 20;
    int files_max = 4;
    // Wall clock, milliseconds. Called on any thread.
    std::function<int64_t()> now_ms;
  };

  // `fs` outlives it. Nothing is written before the first event.
  EventLog(FileSystem& fs, const Options& options);
  ~EventLog() override;  // Writes what is gathered.

  void OnStreamingStarted(Time time) override;
  void OnReceiverStarted(const ReceiverInfo& receiver) override;
  void OnReceiverError(const ReceiverInfo& receiver) override;
  void OnReceiverStopped(const ReceiverInfo& receiver) override;
  void OnBatchSubmitted(const BatchInfo& batch) override;
  void OnBatchStarted(const BatchInfo& batch) override;
  void OnBatchCompleted(const BatchInfo& batch) override;
  void OnOutputOperationStarted(const OutputOperationInfo& operation) override;
  void OnOutputOperationCompleted(const OutputOperationInfo& operation) override;
  void OnEventsDropped(int64_t count) override;

  std::string path() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Write(const std::string& line, bool flush) ABSL_LOCKS_EXCLUDED(mutex_);
  void Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Lose(const absl::Status& reason, int64_t now_ms) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::function<int64_t()> now_ms_;

  mutable absl::Mutex mutex_;
  RotatingFile file_ ABSL_GUARDED_BY(mutex_);
  std::string gathered_ ABSL_GUARDED_BY(mutex_);
  int64_t gathered_lines_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t lost_lines_ ABSL_GUARDED_BY(mutex_) = 0;  // Since the last line that was written.
  int64_t next_try_ms_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t next_warning_ms_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_EVENT_EVENT_LOG_H_
