// The receivers of a worker, as its core sees them.
#ifndef MILLRACE_EXECUTOR_RECEIVER_RECEIVER_SERVICE_H_
#define MILLRACE_EXECUTOR_RECEIVER_RECEIVER_SERVICE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "proto/worker.pb.h"

namespace millrace::internal {

// Threads: everything here is called on the worker core's event loop, and nothing waits.
class ReceiverService {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // Reports of a stream come in the order of their blocks; what a report names is stored.
    virtual void OnBlockReport(proto::BlockReport report) = 0;
    // STOPPED is the last that is heard of a stream until it is started again.
    virtual void OnReceiverEvent(proto::ReceiverEvent event) = 0;
  };

  virtual ~ReceiverService() = default;

  // Before anything else.
  virtual void SetListener(Listener* listener) = 0;

  // A stream that is running already stays as it is.
  virtual void Start(const proto::StartReceiver& request) = 0;
  // What was received before is stored and reported, then comes STOPPED.
  virtual void Stop(int64_t stream_id, const std::string& reason) = 0;
  virtual void UpdateRate(const proto::UpdateRate& request) = 0;
  // Each stream that has not stopped answers with one report that carries the batch time.
  virtual void CutBlocks(int64_t batch_time_ms) = 0;
  // Those that have not stopped.
  virtual std::vector<proto::RunningReceiver> Running() const { return {}; }
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_RECEIVER_SERVICE_H_
