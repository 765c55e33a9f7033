// The workers of an application, from its driver's side: brought up, joined, lost, replaced.
#ifndef MILLRACE_CLIENT_CLUSTER_WORKER_FLEET_H_
#define MILLRACE_CLIENT_CLUSTER_WORKER_FLEET_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

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
  struct Options {
    int workers_max = std::numeric_limits<int>::max();
    int64_t driver_epoch = 1;  // Workers of different epochs have different ids.
  };
  // All outlive the fleet, or nothing is called any more; `driver` may be made after it.
  WorkerFleet(Env& env, DriverTransport& connections, WorkerLauncher& launcher,
              DriverService& driver, const Options& options)
      : env_(env),
        connections_(connections),
        launcher_(launcher),
        driver_(driver),
        workers_max_(options.workers_max),
        last_worker_id_((options.driver_epoch - 1) * kWorkersOfADriver) {}

  // Launches as many and returns when they are there, and with them those that the driver before
  // has left; one of those that does not come within some seconds is replaced. Unavailable: one
  // that was launched ended before that, or they took too long; the message has its reason.
  absl::Status BringUp(int launched, const std::vector<int64_t>& left = {});
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
  static constexpr int64_t kWorkersOfADriver = 1'000'000;
  enum class Phase { kLaunched, kLeft, kJoined, kGone, kRetired };
  struct Beginning {
    int joined_count = 0;
    std::string failure;  // Of a worker that has ended; empty: none has.
  };

  void Launch();
  void Expect(const std::vector<int64_t>& left);
  void GiveUpLeft();
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
  int64_t last_worker_id_;
  int count_ = 0;          // Those that are there, on their way or about to be replaced.
  int failed_starts_ = 0;  // In a row.
  bool is_stopping_ = false;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_WORKER_FLEET_H_
