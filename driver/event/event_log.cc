#include "driver/event/event_log.h"

#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/fs/path.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// Fields stand in the order in which they are set.
using Json = nlohmann::ordered_json;

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

// What is no UTF-8 becomes U+FFFD, so that every line can be read back.
std::string LineOf(const Json& object) {
  return object.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) +
         "\n";
}

RotatingFile::Options FileOptions(const EventLog::Options& options) {
  const int64_t start_ms = options.now_ms();
  const Json head = {{"event", "logOpened"},        {"version", EventLog::kFormatVersion},
                     {"appName", options.app_name}, {"master", options.master},
                     {"startTime", start_ms},       {"processId", options.process_id}};
  return {.path = JoinPath(options.directory,
                           absl::StrCat(FileNamePart(options.app_name), "-", start_ms, "-",
                                        options.process_id, ".jsonl")),
          .bytes_max = options.file_bytes_max,
          .files_max = options.files_max,
          .head = LineOf(head)};
}

// Left out when there is none.
void Set(Json& object, const char* name, const std::optional<std::string>& text) {
  if (text.has_value()) object[name] = *text;
}
void Set(Json& object, const char* name, const std::optional<Time>& time) {
  if (time.has_value()) object[name] = time->ms();
}
void Set(Json& object, const char* name, const std::optional<std::chrono::milliseconds>& duration) {
  if (duration.has_value()) object[name] = duration->count();
}

Json Event(const char* name, int64_t now_ms) { return {{"event", name}, {"loggedAt", now_ms}}; }

std::string CountLine(const char* name, int64_t now_ms, int64_t count) {
  Json line = Event(name, now_ms);
  line["count"] = count;
  return LineOf(line);
}

std::string ReceiverLine(const char* name, int64_t now_ms, const ReceiverInfo& receiver) {
  Json line = Event(name, now_ms);
  line["streamId"] = receiver.stream_id;
  line["streamName"] = receiver.name;
  line["isActive"] = receiver.active;
  line["executorId"] = receiver.executor_id;
  line["executorHost"] = receiver.location;
  line["lastErrorMessage"] = receiver.last_error_message;
  line["lastError"] = receiver.last_error;
  line["lastErrorTime"] = receiver.last_error_time_ms;
  return LineOf(line);
}

void AddOperation(const OutputOperationInfo& operation, Json& to) {
  to["outputOpId"] = operation.id;
  to["name"] = operation.name;
  to["description"] = operation.description;
  Set(to, "startTime", operation.start_time);
  Set(to, "endTime", operation.end_time);
  Set(to, "duration", operation.duration());
  Set(to, "failureReason", operation.failure_reason);
}

std::string OperationLine(const char* name, int64_t now_ms, const OutputOperationInfo& operation) {
  Json line = Event(name, now_ms);
  line["batchTime"] = operation.batch_time.ms();
  AddOperation(operation, line);
  return LineOf(line);
}

std::string BatchLine(const char* name, int64_t now_ms, const BatchInfo& batch) {
  Json line = Event(name, now_ms);
  line["batchTime"] = batch.batch_time.ms();
  line["inputSize"] = batch.num_records();
  line["submissionTime"] = batch.submission_time.ms();
  Set(line, "processingStartTime", batch.processing_start_time);
  Set(line, "processingEndTime", batch.processing_end_time);
  Set(line, "schedulingDelay", batch.scheduling_delay());
  Set(line, "processingTime", batch.processing_delay());
  Set(line, "totalDelay", batch.total_delay());
  Json& streams = line["streams"] = Json::array();
  for (const auto& [stream_id, input] : batch.stream_id_to_input_info) {
    Json stream = {{"streamId", stream_id}, {"numRecords", input.num_records}};
    if (!input.metadata.empty()) stream["metadata"] = input.metadata;
    streams.push_back(std::move(stream));
  }
  Json& operations = line["outputOperations"] = Json::array();
  for (const auto& [id, operation] : batch.output_operation_infos) {
    operations.push_back(Json::object());
    AddOperation(operation, operations.back());
  }
  return LineOf(line);
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

void EventLog::OnStreamingStarted(Time time) {
  Json line = Event("streamingStarted", now_ms_());
  line["time"] = time.ms();
  Write(LineOf(line), /*flush=*/true);
}

void EventLog::OnReceiverStarted(const ReceiverInfo& receiver) {
  Write(ReceiverLine("receiverStarted", now_ms_(), receiver), /*flush=*/true);
}

void EventLog::OnReceiverError(const ReceiverInfo& receiver) {
  Write(ReceiverLine("receiverError", now_ms_(), receiver), /*flush=*/true);
}

void EventLog::OnReceiverStopped(const ReceiverInfo& receiver) {
  Write(ReceiverLine("receiverStopped", now_ms_(), receiver), /*flush=*/true);
}

void EventLog::OnBatchSubmitted(const BatchInfo& batch) {
  Write(BatchLine("batchSubmitted", now_ms_(), batch), /*flush=*/false);
}

void EventLog::OnBatchStarted(const BatchInfo& batch) {
  Write(BatchLine("batchStarted", now_ms_(), batch), /*flush=*/false);
}

void EventLog::OnBatchCompleted(const BatchInfo& batch) {
  Write(BatchLine("batchCompleted", now_ms_(), batch), /*flush=*/true);
}

void EventLog::OnOutputOperationStarted(const OutputOperationInfo& operation) {
  Write(OperationLine("outputOperationStarted", now_ms_(), operation), /*flush=*/false);
}

void EventLog::OnOutputOperationCompleted(const OutputOperationInfo& operation) {
  Write(OperationLine("outputOperationCompleted", now_ms_(), operation), /*flush=*/false);
}

void EventLog::OnEventsDropped(int64_t count) {
  Write(CountLine("eventsDropped", now_ms_(), count), /*flush=*/false);
}

// ---------------------------------------------------------------------------------------------
// Lines.

void EventLog::Write(const std::string& line, bool flush) {
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
    gathered_.insert(0, CountLine("linesLost", now_ms, lost_lines_));
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
