// A receiver as users write it, and what the worker offers to it. Included by user programs: free
// of protobuf.
#ifndef MILLRACE_EXECUTOR_RECEIVER_RECEIVER_BASE_H_
#define MILLRACE_EXECUTOR_RECEIVER_RECEIVER_BASE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/memory/buffer.h"
#include "common/plan/operator_registry.h"

namespace millrace::internal {

class BlockGenerator;

// What a receiver may ask of its worker. Implemented by the receiver's supervisor.
// Threads: any, at any time between the receiver's first OnStart and its destruction.
class ReceiverHost {
 public:
  virtual ~ReceiverHost() = default;

  virtual bool StoreEncoded(std::string_view record) = 0;
  virtual absl::Status StoreEncodedBlock(Buffer block, int64_t record_count,
                                         std::string_view metadata) = 0;
  virtual void Restart(std::string_view message,
                       std::optional<std::chrono::milliseconds> delay) = 0;
  virtual void Stop(std::string_view message) = 0;
  virtual void ReportError(std::string_view message) = 0;
  virtual bool IsStarted() const = 0;
  virtual bool IsStopped() const = 0;
  virtual int64_t stream_id() const = 0;

  // For receivers that read bytes straight into the open block.
  virtual BlockGenerator& generator() = 0;
  virtual int64_t line_bytes_max() const = 0;
};

// Runs on a worker and takes records in from the outside for as long as its stream lives.
//
// Its supervisor, which has a thread of its own, calls OnStart and OnStop in turn, never both at
// once; what they throw ends the receiver with that error. OnStart starts whatever receives, for
// example a thread, and returns; OnStop ends that and waits for its end. Everything below may be
// called by any thread of the receiver; a call never waits for the driver's answer to another.
class ReceiverBase {
 public:
  virtual ~ReceiverBase() = default;

  virtual void OnStart() = 0;
  virtual void OnStop() = 0;

  // Before the first OnStart; `host` outlives the receiver's last thread.
  void Attach(ReceiverHost& host) { host_ = &host; }

 protected:
  // Takes one encoded record (common/record/codec.h) into the open block. Waits while the rate
  // limit or a full block store ask for it. A record that is in no stored block yet is lost if the
  // worker dies. False: the receiver was stopped, the record was not taken.
  bool StoreEncoded(std::string_view record) { return host_->StoreEncoded(record); }

  // Makes one block of encoded records, written one after the other. Returns once it is stored:
  // after OK a source may be told to forget them. `record_count` -1: not known. `metadata` comes
  // back with the batch that holds the block. Waits for the limits as StoreEncoded does.
  absl::Status StoreEncodedBlock(std::string bytes, int64_t record_count,
                                 std::string_view metadata = {}) {
    return host_->StoreEncodedBlock(Buffer(std::move(bytes)), record_count, metadata);
  }
  absl::Status StoreEncodedBlock(Buffer bytes, int64_t record_count,
                                 std::string_view metadata = {}) {
    return host_->StoreEncodedBlock(std::move(bytes), record_count, metadata);
  }

  // OnStop now, OnStart after the delay (the stream's restart delay unless given). Returns at once.
  void Restart(std::string_view message,
               std::optional<std::chrono::milliseconds> delay = std::nullopt) {
    host_->Restart(message, delay);
  }
  // Ends the receiver on this worker; the driver may start it again elsewhere. Returns at once.
  void Stop(std::string_view message) { host_->Stop(message); }
  // Tells the driver; the receiver goes on.
  void ReportError(std::string_view message) { host_->ReportError(message); }

  bool IsStarted() const { return host_->IsStarted(); }
  // Threads of the receiver look at this to know when to end.
  bool IsStopped() const { return host_->IsStopped(); }
  int64_t stream_id() const { return host_->stream_id(); }

  ReceiverHost& host() { return *host_; }

 private:
  ReceiverHost* host_ = nullptr;
};

// Makes receivers; registered by name as operators are.
class ReceiverFactory : public Registered {
 public:
  // InvalidArgument: `params` are not what the driver's side of this stream encodes.
  virtual absl::StatusOr<std::unique_ptr<ReceiverBase>> Make(std::string_view params) const = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_RECEIVER_BASE_H_
