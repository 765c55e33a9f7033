// Messages between a driver core and worker cores that live on one event loop: local mode.
#ifndef MILLRACE_COMMON_ENV_IN_PROCESS_TRANSPORT_H_
#define MILLRACE_COMMON_ENV_IN_PROCESS_TRANSPORT_H_

#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "common/env/env.h"
#include "proto/worker.pb.h"

namespace millrace {

// Every message is handed over on a turn of its own of the event loop, never from within a send, so
// that a core sees the same one-message-at-a-time world as over a network. Messages arrive in the
// order in which they were sent.
//
// Threads: the event loop of `env`, but for the constructor and destructor. Outlives what it
// posted: it goes after the loop has stopped.
class InProcessTransport : public DriverTransport {
 public:
  using DriverHandler = absl::AnyInvocable<void(proto::ToDriver)>;
  using WorkerHandler = absl::AnyInvocable<void(proto::ToWorker)>;

  explicit InProcessTransport(Env& env);
  ~InProcessTransport() override;

  // Before any message is sent.
  void ConnectDriver(DriverHandler handler);
  // The way of this worker's messages to the driver; valid until Disconnect.
  WorkerTransport& ConnectWorker(int64_t worker_id, WorkerHandler handler);
  // As if the worker's process were gone: what is under way in either direction is lost.
  void DisconnectWorker(int64_t worker_id, const absl::Status& reason) override;

  // A message to a worker that is not connected is lost.
  void SendToWorker(int64_t worker_id, proto::ToWorker message) override;

 private:
  class Link;

  void Deliver(const std::shared_ptr<Link>& link, proto::ToDriver message);

  Env& env_;
  DriverHandler driver_;
  // Shared with messages that are under way, which look whether it is still connected.
  absl::flat_hash_map<int64_t, std::shared_ptr<Link>> links_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_ENV_IN_PROCESS_TRANSPORT_H_
