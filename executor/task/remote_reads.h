// What a task reads from another worker.
#ifndef MILLRACE_EXECUTOR_TASK_REMOTE_READS_H_
#define MILLRACE_EXECUTOR_TASK_REMOTE_READS_H_

#include <chrono>
#include <vector>

#include "absl/status/statusor.h"
#include "common/env/peer_transport.h"
#include "common/memory/buffer.h"
#include "proto/peer.pb.h"

namespace millrace::internal {

// Tasks run where their inputs are; those that draw on several workers fetch what lies elsewhere.
//
// Threads: any.
class RemoteReads {
 public:
  // The transport outlives this.
  RemoteReads(PeerTransport& peers, std::chrono::milliseconds timeout)
      : peers_(peers), timeout_(timeout) {}

  // Waits for the answer. NotFound: it is not there any more. Unavailable: the worker is not there
  // any more, or has not answered in time.
  absl::StatusOr<std::vector<Buffer>> Fetch(int64_t worker_id, proto::PeerRequest request);

 private:
  PeerTransport& peers_;
  const std::chrono::milliseconds timeout_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_TASK_REMOTE_READS_H_
