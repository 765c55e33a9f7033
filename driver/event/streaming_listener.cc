#include "driver/event/streaming_listener.h"

namespace millrace {
namespace {

std::optional<std::chrono::milliseconds> Between(const std::optional<Time>& start,
                                                 const std::optional<Time>& end) {
  if (!start.has_value() || !end.has_value()) return std::nullopt;
  return *end - *start;
}

}  // namespace

std::optional<std::chrono::milliseconds> OutputOperationInfo::duration() const {
  return Between(start_time, end_time);
}

int64_t BatchInfo::num_records() const {
  int64_t records = 0;
  for (const auto& [stream_id, input] : stream_id_to_input_info) records += input.num_records;
  return records;
}

std::optional<std::chrono::milliseconds> BatchInfo::scheduling_delay() const {
  return Between(submission_time, processing_start_time);
}

std::optional<std::chrono::milliseconds> BatchInfo::processing_delay() const {
  return Between(processing_start_time, processing_end_time);
}

std::optional<std::chrono::milliseconds> BatchInfo::total_delay() const {
  return Between(submission_time, processing_end_time);
}

}  // namespace millrace
