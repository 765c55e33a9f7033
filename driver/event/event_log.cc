#include "driver/event/event_log.h"

#include <cctype>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fs/path.h"
#include "common/text/json_line.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

constexpr size_t kGatheredBytesMax = size_t{256} << 10;
constexpr size_t kNameBytesMax = 64;
// A disk that does not take lines is tried again and told about now and then only.
constexpr int64_t kRetryMs = 1000;
constexpr int64_t kWarningPeriodMs = 60'000;

// The application's name as a part of a file's name.
std::string FileNamePart(std::string_view app_name) {
  std::string name(app_name.substr(0, kNameBytesMax));
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_') c = '_';
  }
  return name.empty() ? "millrace" : name;
}

RotatingFile::Options FileOptions(const EventLog::Options& options) {
  const int64_t start_ms = options.now_ms();
  JsonLine head;
  head.Add("event", "logOpened")
      .Add("version", EventLog::kFormatVersion)
      .Add("appName", options.app_name)
      .Add("master", options.master)
      .Add("startTime", start_ms)
      .Add("processId", options.process_id);
  return {.path = JoinPath(options.directory,
                           absl::StrCat(FileNamePart(options.app_name), "-", start_ms, "-",
                                        options.process_id, ".jsonl")),
          .bytes_max = options.file_bytes_max,
          .files_max = options.files_max,
          .head = head.Take()};
}

std::optional<int64_t> Ms(const std::optional<Time>& time) {
  if (!time.has_value()) return std::nullopt;
  return time->ms();
}

std::optional<int64_t> Ms(const std::optional<std::chrono::milliseconds>& duration) {
  if (!duration.has_value()) return std::nullopt;
  return duration->count();
}

void AddReceiver(const ReceiverInfo& receiver, JsonLine& line) {
  line.Add("streamId", receiver.stream_id)
      .Add("streamName", receiver.name)
      .Add("isActive", receiver.active)
      .Add("executorId", receiver.executor_id)
      .Add("executorHost", receiver.location)
      .Add("lastErrorMessage", receiver.last_error_message)
      .Add("lastError", receiver.last_error)
      .Add("lastErrorTime", receiver.last_error_time_ms);
}

void AddOperation(const OutputOperationInfo& operation, JsonLine& line) {
  line.Add("outputOpId", operation.id)
      .Add("name", operation.name)
      .Add("description", operation.description)
      .Add("startTime", Ms(operation.start_time))
      .Add("endTime", Ms(operation.end_time))
      .Add("duration", Ms(operation.duration()))
      .Add("failureReason", operation.failure_reason);
}

void AddInputs(const BatchInfo& batch, JsonLine& line) {
  line.BeginList("streams");
  for (const auto& [stream_id, input] : batch.stream_id_to_input_info) {
    line.BeginElement().Add("streamId", stream_id).Add("numRecords", input.num_records);
    if (!input.metadata.empty()) {
      line.BeginObject("metadata");
      for (const auto& [name, value] : input.metadata) line.Add(name, value);
      line.End();
    }
    line.End();
  }
  line.EndList();
}

void AddBatch(const BatchInfo& batch, JsonLine& line) {
  line.Add("batchTime", batch.batch_time.ms())
      .Add("inputSize", batch.num_records())
      .Add("submissionTime", batch.submission_time.ms())
      .Add("processingStartTime", Ms(batch.processing_start_time))
      .Add("processingEndTime", Ms(batch.processing_end_time))
      .Add("schedulingDelay", Ms(batch.scheduling_delay()))
      .Add("processingTime", Ms(batch.processing_delay()))
      .Add("totalDelay", Ms(batch.total_delay()));
  AddInputs(batch, line);
  line.BeginList("outputOperations");
  for (const auto& [id, operation] : batch.output_operation_infos) {
    line.BeginElement();
    AddOperation(operation, line);
    line.End();
  }
  line.EndList();
}

}  // namespace

EventLog::EventLog(FileSystem& fs, const Options& options)
    : now_ms_(options.now_ms), file_(fs, FileOptions(options)) {}

EventLog::~EventLog() {
  const absl::MutexLock lock(&mutex_);
  if (gathered_lines_ > 0) Flush();
}

std::string EventLog::path() const {
  const absl::MutexLock lock(&mutex_);
  return file_.path();
}

// ---------------------------------------------------------------------------------------------
// Events.

namespace {

JsonLine Begin(std::string_view event, int64_t now_ms) {
  JsonLine line;
  line.Add("event", event).Add("loggedAt", now_ms);
  return line;
}

}  // namespace

void EventLog::OnStreamingStarted(Time time) {
  Write(Begin("streamingStarted", now_ms_()).Add("time", time.ms()).Take(), /*flush=*/true);
}

void EventLog::OnReceiverStarted(const ReceiverInfo& receiver) {
  JsonLine line = Begin("receiverStarted", now_ms_());
  AddReceiver(receiver, line);
  Write(line.Take(), /*flush=*/true);
}

void EventLog::OnReceiverError(const ReceiverInfo& receiver) {
  JsonLine line = Begin("receiverError", now_ms_());
  AddReceiver(receiver, line);
  Write(line.Take(), /*flush=*/true);
}

void EventLog::OnReceiverStopped(const ReceiverInfo& receiver) {
  JsonLine line = Begin("receiverStopped", now_ms_());
  AddReceiver(receiver, line);
  Write(line.Take(), /*flush=*/true);
}

void EventLog::OnBatchSubmitted(const BatchInfo& batch) {
  JsonLine line = Begin("batchSubmitted", now_ms_());
  AddBatch(batch, line);
  Write(line.Take(), /*flush=*/false);
}

void EventLog::OnBatchStarted(const BatchInfo& batch) {
  JsonLine line = Begin("batchStarted", now_ms_());
  AddBatch(batch, line);
  Write(line.Take(), /*flush=*/false);
}

void EventLog::OnBatchCompleted(const BatchInfo& batch) {
  JsonLine line = Begin("batchCompleted", now_ms_());
  AddBatch(batch, line);
  Write(line.Take(), /*flush=*/true);
}

void EventLog::OnOutputOperationStarted(const OutputOperationInfo& operation) {
  JsonLine line = Begin("outputOperationStarted", now_ms_());
  line.Add("batchTime", operation.batch_time.ms());
  AddOperation(operation, line);
  Write(line.Take(), /*flush=*/false);
}

void EventLog::OnOutputOperationCompleted(const OutputOperationInfo& operation) {
  JsonLine line = Begin("outputOperationCompleted", now_ms_());
  line.Add("batchTime", operation.batch_time.ms());
  AddOperation(operation, line);
  Write(line.Take(), /*flush=*/false);
}

void EventLog::OnEventsDropped(int64_t count) {
  Write(Begin("eventsDropped", now_ms_()).Add("count", count).Take(), /*flush=*/false);
}

// ---------------------------------------------------------------------------------------------
// Lines.

void EventLog::Write(std::string line, bool flush) {
  const absl::MutexLock lock(&mutex_);
  gathered_ += line;
  ++gathered_lines_;
  if (flush || gathered_.size() > kGatheredBytesMax) Flush();
}

void EventLog::Flush() {
  const int64_t now_ms = now_ms_();
  // A clock that was set back must not keep the log silent.
  const bool is_too_soon =
      lost_lines_ > 0 && now_ms < next_try_ms_ && now_ms >= next_try_ms_ - kRetryMs;
  if (is_too_soon) {
    lost_lines_ += std::exchange(gathered_lines_, 0);
    gathered_.clear();
    return;
  }
  if (lost_lines_ > 0) {
    gathered_.insert(0, Begin("linesLost", now_ms).Add("count", lost_lines_).Take());
  }
  const absl::Status written = file_.Append(gathered_);
  if (written.ok()) {
    lost_lines_ = 0;
  } else {
    Lose(written, now_ms);
  }
  gathered_.clear();
  gathered_lines_ = 0;
}

void EventLog::Lose(const absl::Status& reason, int64_t now_ms) {
  lost_lines_ += gathered_lines_;
  next_try_ms_ = now_ms + kRetryMs;
  if (now_ms < next_warning_ms_ && now_ms >= next_warning_ms_ - kWarningPeriodMs) return;
  next_warning_ms_ = now_ms + kWarningPeriodMs;
  LOG(WARNING) << "the event log '" << file_.path() << "' cannot be written, " << lost_lines_
               << " lines are lost so far; the application goes on: " << reason;
}

}  // namespace millrace::internal
