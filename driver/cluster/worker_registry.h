// The worker processes of the application, as far as the driver knows them.
#ifndef MILLRACE_DRIVER_CLUSTER_WORKER_REGISTRY_H_
#define MILLRACE_DRIVER_CLUSTER_WORKER_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/env/env.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// A worker's identity and the task scheduler's books about it.
struct Worker {
  int64_t id = 0;
  std::string host;
  std::string peer_address;  // Where other workers reach it; empty: nowhere.
  int64_t last_heard_micros = 0;
  int slots = 0;
  // Slots minus the tasks that hold one; below zero while tasks that were launched ahead of their
  // inputs have got them and more run than there are slots.
  int free_slots = 0;
  int tasks_ahead = 0;       // Launched ahead of their inputs; hold no slot.
  bool is_excluded = false;  // Tasks keep failing there.
  bool is_retiring = false;  // It is to end soon.
  // Neither, or there is no other worker. Else it gets only tasks that can run nowhere else.
  bool is_usable = true;
  // Of the last 64 tasks that ended there, the latest in the lowest bit: 1 for one that failed
  // there and succeeded elsewhere.
  uint64_t task_failures = 0;
  absl::flat_hash_set<uint64_t> known_plans;  // Digests that were registered there.
  proto::ToWorker launches;                   // Collected while the scheduler dispatches.
};

// Threads: the driver core's event loop.
// Invariant: a worker's address stays the same from Add to Remove.
class WorkerRegistry {
 public:
  WorkerRegistry(DriverTransport& transport, int64_t driver_epoch)
      : transport_(transport), driver_epoch_(driver_epoch) {}
  WorkerRegistry(const WorkerRegistry&) = delete;
  WorkerRegistry& operator=(const WorkerRegistry&) = delete;

  // `id` must not be there.
  Worker& Add(int64_t id, const proto::WorkerHello& hello);
  void Remove(int64_t id);

  Worker* Find(int64_t id) const;
  // In the order of their ids.
  const std::vector<std::unique_ptr<Worker>>& all() const { return workers_; }
  // Those that are neither excluded nor retiring; if there is none, all. In the order of their ids.
  const std::vector<Worker*>& usable() const { return usable_; }
  bool all_usable() const { return usable_.size() == workers_.size(); }
  void SetExcluded(Worker& worker, bool is_excluded);
  void SetRetiring(Worker& worker, bool is_retiring);
  int count() const { return static_cast<int>(workers_.size()); }
  int total_slots() const { return total_slots_; }

  // Where partition `partition` of anything that has no place yet is put: equal partitions of
  // different data sets meet on one worker, a usable one. There must be a worker.
  int64_t HomeOf(int partition) const;

  // To a worker that is there; a message to any other one is dropped, for its loss is dealt with
  // by whoever learns of it.
  void Send(int64_t id, proto::ToWorker message);
  void SendToAll(const proto::ToWorker& message);

 private:
  void FindUsable();

  DriverTransport& transport_;
  const int64_t driver_epoch_;
  std::vector<std::unique_ptr<Worker>> workers_;
  absl::flat_hash_map<int64_t, Worker*> by_id_;
  std::vector<Worker*> usable_;
  int total_slots_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_CLUSTER_WORKER_REGISTRY_H_
