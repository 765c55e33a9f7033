// What an application can watch of its streaming run.
#ifndef MILLRACE_DRIVER_EVENT_STREAMING_LISTENER_H_
#define MILLRACE_DRIVER_EVENT_STREAMING_LISTENER_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/time/time.h"

namespace millrace {

// A receiver, as it stands when the event happens.
struct ReceiverInfo {
  int stream_id = 0;
  std::string name;  // "SocketTextReceiver-0"
  bool active = false;
  std::string location;  // Host.
  std::string executor_id;
  std::string last_error_message;
  std::string last_error;
  int64_t last_error_time_ms = -1;
};

// What a batch has of one input stream.
struct StreamInputInfo {
  int stream_id = 0;
  int64_t num_records = 0;
  std::map<std::string, std::string> metadata;  // "Description" -> files, offset ranges, ...
};

// An output of a batch. Times are there once they have come; failure_reason, when it failed.
struct OutputOperationInfo {
  Time batch_time{0};
  int id = 0;
  std::string name;
  std::string description;  // The call's place in the program.
  std::optional<Time> start_time;
  std::optional<Time> end_time;
  std::optional<std::string> failure_reason;

  // Empty until both times are known.
  std::optional<std::chrono::milliseconds> duration() const;
};

// A batch, as far as it has come. submission_time: when its jobs were ready to run.
struct BatchInfo {
  Time batch_time{0};
  std::map<int, StreamInputInfo> stream_id_to_input_info;
  Time submission_time{0};
  std::optional<Time> processing_start_time;
  std::optional<Time> processing_end_time;
  std::map<int, OutputOperationInfo> output_operation_infos;
  // The two delays with the resolution that batches of a millisecond need.
  std::chrono::microseconds precise_scheduling_delay{0};
  std::chrono::microseconds precise_processing_delay{0};

  // Of all inputs.
  int64_t num_records() const;
  // Start minus submission, end minus start, and their sum; empty until both ends are known.
  std::optional<std::chrono::milliseconds> scheduling_delay() const;
  std::optional<std::chrono::milliseconds> processing_delay() const;
  std::optional<std::chrono::milliseconds> total_delay() const;
};

// Callbacks come one at a time, in the order of the events, on a thread of the engine's. Better
// than one queue for all: each listener has its own, so one that is slow, throws or hangs is late
// itself and delays no other listener and no batch. Of more than 10,000 events that wait for a
// listener its oldest are dropped. When the context stops, events that wait are delivered for 10 s
// more at most, and no others follow.
class StreamingListener {
 public:
  virtual ~StreamingListener() = default;
  virtual void OnStreamingStarted(Time /*time*/) {}
  virtual void OnReceiverStarted(const ReceiverInfo& /*receiver*/) {}
  virtual void OnReceiverError(const ReceiverInfo& /*receiver*/) {}
  virtual void OnReceiverStopped(const ReceiverInfo& /*receiver*/) {}
  virtual void OnBatchSubmitted(const BatchInfo& /*batch*/) {}
  virtual void OnBatchStarted(const BatchInfo& /*batch*/) {}
  virtual void OnBatchCompleted(const BatchInfo& /*batch*/) {}
  virtual void OnOutputOperationStarted(const OutputOperationInfo& /*operation*/) {}
  virtual void OnOutputOperationCompleted(const OutputOperationInfo& /*operation*/) {}
  // So many events, between the last one and the next, were dropped: this listener was too slow.
  virtual void OnEventsDropped(int64_t /*count*/) {}
};

namespace internal {

// Which events a listener hears of. Most say that all goes well: whoever listens to trouble alone
// (receivers that fail or stop, outputs that fail) costs a batch that goes well nothing.
enum class ListensTo : uint8_t { kAll, kTrouble };

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_DRIVER_EVENT_STREAMING_LISTENER_H_
