// The workers of an application, from its driver's side: brought up, joined, lost, replaced.
#ifndef MILLRACE_CLIENT_CLUSTER_WORKER_FLEET_H_
#define MILLRACE_CLIENT_CLUSTER_WORKER_FLEET_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "client/cluster/worker_launcher.h"
#include "common/concurrent/watched.h"
#include "common/env/env.h"
#include "driver/cluster/worker_supply.h"
#include "driver/service/driver_service.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Stands between the driver core, the connections of workers and their launcher. A worker that is
// lost is ended for good and replaced, under a new id; one that has retired is not replaced.
//
// Threads: the event loop, but for BringUp, Stop and what a launcher calls, which any other may
// call.
class WorkerFleet final : public DriverTransport,
                          public WorkerLauncher::Listener,
                          public WorkerSupply {
 public:
  // All outlive the fleet, or nothing is called any more; `driver` may be made after it.
  WorkerFleet(Env& env, DriverTransport& connections, WorkerLauncher& launcher,
              DriverService& driver, int workers_max = std::numeric_limits<int>::max())
      : env_(env),
        connections_(connections),
        launcher_(launcher),
        driver_(driver),
        workers_max_(workers_max) {}

  // Launches as many and returns when they are there. Unavailable: one of them ended before that,
  // or they took too long; the message has its reason.
  absl::Status BringUp(int workers);
  // No worker comes up any more; those that are there are told that the application has ended.
  void Stop();

  // What whoever accepts connections tells.
  absl::Status MayJoin(int64_t worker_id) const;
  void OnMessage(proto::ToDriver message);  // The first one of a worker is its hello.
  void OnDisconnected(int64_t worker_id, const std::string& reason);

  // DriverTransport
  void SendToWorker(int64_t worker_id, proto::ToWorker message) override;
  void DisconnectWorker(int64_t worker_id, const absl::Status& reason) override;
  // WorkerSupply
  int count() const override { return count_; }
  int count_max() const override { return workers_max_; }
  void Add(int workers) override;
  void Retire(int64_t worker_id, const std::string& reason) override;
  // WorkerLauncher::Listener
  void OnWorkerExited(int64_t worker_id, const std::string& reason) override;
  void OnRoom(int workers) override;

 private:
  enum class Phase { kLaunched, kJoined, kGone, kRetired };
  struct Beginning {
    int joined_count = 0;
    std::string failure;  // Of a worker that has ended; empty: none has.
  };

  void Launch();
  void ReplaceLater();
  void OnWorkerExitedOnLoop(int64_t worker_id, const std::string& reason);

  Env& env_;
  DriverTransport& connections_;
  WorkerLauncher& launcher_;
  DriverService& driver_;
  const int workers_max_;
  Watched<Beginning> beginning_;

  // The event loop's.
  std::map<int64_t, Phase> workers_;  // Whose process has not ended.
  int64_t last_worker_id_ = 0;
  int count_ = 0;          // Those that are there, on their way or about to be replaced.
  int failed_starts_ = 0;  // In a row.
  bool is_stopping_ = false;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_WORKER_FLEET_H_
